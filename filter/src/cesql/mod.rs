//! CloudEvents SQL v1 (contract 2.5): text → tokens → tree → folded tree →
//! flat program → value and perhaps an error.
//!
//! Where the specification is silent: integer results out of range are a `math`
//! error; AND, OR and XOR group from the right, as its grammar has it.

mod correlation;
mod error;
mod eval;
mod failure;
mod fold;
mod functions;
mod lexer;
pub(crate) mod like;
mod operand;
mod parser;
mod program;
mod syntax;
mod tree;

pub use correlation::{CorrelationKeys, NoKeys};
pub use error::ErrorKind;
pub use parser::parse;
pub use syntax::SyntaxError;
pub use tree::{Binary, Expr, Unary};

pub(crate) use fold::fold;
pub(crate) use functions::Function;
pub(crate) use operand::Type;
pub(crate) use program::Program;

use crate::value::{Attributes, Value, boolean_text};
use crate::view::View;
use eval::Fault;
use operand::Operand;
use program::Op;
use std::fmt;

/// A compiled expression for use on its own, outside of a matcher.
#[derive(Clone, Debug)]
pub struct Expression {
    tree: Expr,
    program: Program,
    names: Vec<Box<str>>,
}

/// What an expression yields for one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The value. Beside an error it is the zero value of the outermost operator
    /// or function, unless that is the one that failed and the specification
    /// names another (ABS, LEFT, RIGHT).
    pub value: Output,
    /// The first error.
    pub error: Option<Error>,
}

/// The value of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the types of the language")]
pub enum Output {
    String(String),
    Integer(i32),
    Boolean(bool),
}

/// An error of an evaluation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Error {
    /// Its kind.
    pub kind: ErrorKind,
    /// What happened, for the author of the expression.
    pub message: String,
}

impl Evaluation {
    /// Whether a filter of this expression passes: the value is `true`, and
    /// there is no error.
    pub fn passes(&self) -> bool {
        self.error.is_none() && self.value == Output::Boolean(true)
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Output::String(text) => f.write_str(text),
            Output::Integer(number) => write!(f, "{number}"),
            Output::Boolean(truth) => f.write_str(boolean_text(*truth)),
        }
    }
}

/// Evaluates the text of an expression. A text that is none has the value
/// `false` and an error of the kind `parse`.
pub fn evaluate<A: Attributes>(text: &str, event: &A, keys: Option<&dyn CorrelationKeys>) -> Evaluation {
    match Expression::new(text) {
        Ok(expression) => expression.evaluate(event, keys),
        Err(refusal) => Evaluation {
            value: Output::Boolean(false),
            error: Some(Error { kind: ErrorKind::Parse, message: refusal.show(text) }),
        },
    }
}

impl Expression {
    /// Parses and compiles.
    pub fn new(text: &str) -> Result<Expression, SyntaxError> {
        Ok(Expression::of(parse(text)?))
    }

    /// Compiles a tree.
    pub(crate) fn of(tree: Expr) -> Expression {
        let mut names: Vec<Box<str>> = Vec::new();
        let program = Program::compile(&fold(tree.clone()), &mut |name| {
            let known = names.iter().position(|known| **known == *name);
            let id = known.unwrap_or(names.len());
            if known.is_none() {
                names.push(name.into());
            }
            id as u32
        });
        Expression { tree, program, names }
    }

    /// The syntax tree as parsed.
    pub fn tree(&self) -> &Expr {
        &self.tree
    }

    /// The names of the attributes that an evaluation may ask for.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// The value and the error for one event.
    pub fn evaluate<A: Attributes>(&self, event: &A, keys: Option<&dyn CorrelationKeys>) -> Evaluation {
        let mut view = View::new(event, &self.names);
        let (value, fault) = self.program.run(&mut view, keys);
        let value = match value {
            Operand::Boolean(truth) => Output::Boolean(truth),
            Operand::Integer(number) => Output::Integer(number),
            text => Output::String(text.text().unwrap_or_default().to_owned()),
        };
        Evaluation { value, error: fault.map(|fault| self.error(fault)) }
    }

    /// Whether a filter of this expression passes. Allocates nothing unless a
    /// function has to build a string.
    pub fn passes<A: Attributes>(&self, event: &A, keys: Option<&dyn CorrelationKeys>) -> bool {
        self.program.passes(&mut View::new(event, &self.names), keys, false)
    }

    fn error(&self, fault: Fault) -> Error {
        let message = match (fault.kind, &self.program.ops[fault.op]) {
            (_, Op::Attribute(id)) => format!("the event has no attribute `{}`", self.names[*id as usize]),
            (_, Op::NoFunction(name)) => match Function::named(name) {
                Some(_) => format!("`{name}` does not take this number of arguments"),
                None => format!("there is no function `{name}`"),
            },
            (ErrorKind::Math, _) => "the result is no 32-bit integer, or the divisor is 0".into(),
            (ErrorKind::Cast, _) => "an operand has no counterpart in the type that is needed".into(),
            (_, Op::Call { function: Function::VerifyCorrelationId, .. }) => NoKeys.to_string(),
            _ => "an argument is outside of what the function accepts".into(),
        };
        Error { kind: fault.kind, message }
    }
}

/// The value of an attribute as an expression sees it, for messages.
pub(crate) fn shown(value: Option<Value<'_>>) -> String {
    match value {
        None => "not set".into(),
        Some(Value::String(text)) => format!("{text:?}"),
        Some(other) => other.to_string(),
    }
}
