//! Constant folding: what needs no event is computed once.
//!
//! Only what has no error is replaced, so errors stay where they were. Long
//! strings are not folded: the compiled filter should not outgrow its text.

use super::eval::Fault;
use super::functions::Function;
use super::operand::Operand;
use super::program::Program;
use super::tree::{Binary, Expr};
use crate::value::{Attributes, Value};
use crate::view::View;

/// Bytes of a string that folding may produce.
const FOLDED_BYTES_MAX: usize = 256;

struct NoAttributes;

impl Attributes for NoAttributes {
    fn get(&self, _: &str) -> Option<Value<'_>> {
        None
    }
}

/// The same expression with its constant parts computed.
pub(crate) fn fold(expr: Expr) -> Expr {
    let boxed = |x: Box<Expr>| Box::new(fold(*x));
    let expr = match expr {
        Expr::Unary(operator, x) => Expr::Unary(operator, boxed(x)),
        Expr::Binary(operator, x, y) => Expr::Binary(operator, boxed(x), boxed(y)),
        Expr::Like { negated, subject, pattern } => Expr::Like { negated, subject: boxed(subject), pattern },
        Expr::In { negated, subject, set } => {
            Expr::In { negated, subject: boxed(subject), set: set.into_iter().map(fold).collect() }
        }
        Expr::Call { name, arguments } => {
            Expr::Call { name, arguments: arguments.into_iter().map(fold).collect() }
        }
        leaf => return leaf,
    };
    if is_constant(&expr) { value(&expr).unwrap_or(expr) } else { expr }
}

fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Unary(_, x) => x.is_literal(),
        Expr::Binary(Binary::And, x, _) if **x == Expr::Boolean(false) => true,
        Expr::Binary(Binary::Or, x, _) if **x == Expr::Boolean(true) => true,
        Expr::Binary(_, x, y) => x.is_literal() && y.is_literal(),
        Expr::Like { subject, .. } => subject.is_literal(),
        Expr::In { subject, set, .. } => subject.is_literal() && set.iter().all(Expr::is_literal),
        Expr::Call { name, arguments } => {
            Function::find(name, arguments.len()).is_some_and(Function::is_pure)
                && arguments.iter().all(Expr::is_literal)
        }
        _ => false,
    }
}

fn value(expr: &Expr) -> Option<Expr> {
    // A right operand that is never reached may name attributes.
    let mut names: Vec<Box<str>> = Vec::new();
    let program = Program::compile(expr, &mut |name| {
        names.push(name.into());
        names.len() as u32 - 1
    });
    let (value, fault): (_, Option<Fault>) = program.run(&mut View::new(&NoAttributes, &names), None);
    match (value, fault) {
        (_, Some(_)) => None,
        (Operand::Boolean(truth), None) => Some(Expr::Boolean(truth)),
        (Operand::Integer(number), None) => Some(Expr::Integer(number)),
        (text, None) => text
            .text()
            .filter(|text| text.len() <= FOLDED_BYTES_MAX)
            .map(|text| Expr::String(text.to_owned())),
    }
}
