//! Expressions as flat programs for a stack machine.
//!
//! Compiled once, run for each event: [`super::eval`] runs them.

use super::functions::Function;
use super::like::Pattern;
use super::operand::Type;
use super::tree::{Binary, Expr, Unary};

/// One step. Operands are taken from the stack, right one on top, and the
/// result is put there.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Integer(i32),
    Boolean(bool),
    Text(Box<str>),
    /// The value of the attribute with this interned number.
    Attribute(u32),
    Exists(u32),
    Not,
    Negate,
    /// Casts the top to Boolean. If that equals `on`, it stays as the result
    /// and the program goes on at `to`; otherwise it is dropped.
    ShortCircuit {
        on: bool,
        to: u32,
    },
    ToBoolean,
    Xor,
    Equal {
        negated: bool,
    },
    Order(Binary),
    Arithmetic(Binary),
    Like {
        negated: bool,
        pattern: Pattern,
    },
    In {
        negated: bool,
        elements: u32,
    },
    Call {
        function: Function,
        arguments: u32,
    },
    /// A call that no function answers.
    NoFunction(Box<str>),
}

impl Op {
    /// The type of the result. That of an attribute is not known before there
    /// is one, and then counts as Boolean (specification 3.2).
    pub(crate) fn result(&self) -> Type {
        match self {
            Op::Integer(_) | Op::Negate | Op::Arithmetic(_) => Type::Integer,
            Op::Text(_) => Type::String,
            Op::Call { function, .. } => function.result(),
            Op::Boolean(_)
            | Op::Attribute(_)
            | Op::Exists(_)
            | Op::Not
            | Op::ShortCircuit { .. }
            | Op::ToBoolean
            | Op::Xor
            | Op::Equal { .. }
            | Op::Order(_)
            | Op::Like { .. }
            | Op::In { .. }
            | Op::NoFunction(_) => Type::Boolean,
        }
    }
}

/// A compiled expression.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Those of the operands before those of the operator: the last one yields
    /// the value of the whole.
    pub(crate) ops: Box<[Op]>,
}

/// Attributes that every event has (CloudEvents 1.0).
const REQUIRED: [&str; 4] = ["id", "source", "specversion", "type"];

impl Program {
    /// Compiles `expr`; `intern` gives attribute names their numbers.
    pub(crate) fn compile(expr: &Expr, intern: &mut dyn FnMut(&str) -> u32) -> Program {
        let mut compiler = Compiler { ops: Vec::new(), intern };
        compiler.expr(expr);
        Program { ops: compiler.ops.into() }
    }
}

struct Compiler<'i> {
    ops: Vec<Op>,
    intern: &'i mut dyn FnMut(&str) -> u32,
}

impl Compiler<'_> {
    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Integer(number) => self.ops.push(Op::Integer(*number)),
            Expr::Boolean(truth) => self.ops.push(Op::Boolean(*truth)),
            Expr::String(text) => self.ops.push(Op::Text(text.as_str().into())),
            Expr::Attribute(name) => {
                let id = (self.intern)(name);
                self.ops.push(Op::Attribute(id));
            }
            Expr::Exists(name) if REQUIRED.contains(&name.as_str()) => self.ops.push(Op::Boolean(true)),
            Expr::Exists(name) => {
                let id = (self.intern)(name);
                self.ops.push(Op::Exists(id));
            }
            Expr::Unary(operator, x) => {
                self.expr(x);
                self.ops.push(match operator {
                    Unary::Not => Op::Not,
                    Unary::Negate => Op::Negate,
                });
            }
            Expr::Binary(operator, x, y) => self.binary(*operator, x, y),
            Expr::Like { negated, subject, pattern } => {
                self.expr(subject);
                self.ops.push(Op::Like { negated: *negated, pattern: Pattern::new(pattern) });
            }
            Expr::In { negated, subject, set } => {
                self.expr(subject);
                set.iter().for_each(|element| self.expr(element));
                self.ops.push(Op::In { negated: *negated, elements: set.len() as u32 });
            }
            Expr::Call { name, arguments } => self.call(name, arguments),
        }
    }

    fn binary(&mut self, operator: Binary, x: &Expr, y: &Expr) {
        self.expr(x);
        if matches!(operator, Binary::And | Binary::Or) {
            let jump = self.ops.len();
            let on = operator == Binary::Or;
            self.ops.push(Op::ShortCircuit { on, to: 0 });
            self.expr(y);
            self.ops.push(Op::ToBoolean);
            self.ops[jump] = Op::ShortCircuit { on, to: self.ops.len() as u32 };
            return;
        }
        self.expr(y);
        self.ops.push(match operator {
            Binary::Xor => Op::Xor,
            Binary::Equal => Op::Equal { negated: false },
            Binary::NotEqual => Op::Equal { negated: true },
            Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
                Op::Order(operator)
            }
            _ => Op::Arithmetic(operator),
        });
    }

    fn call(&mut self, name: &str, arguments: &[Expr]) {
        let Some(function) = Function::find(name, arguments.len()) else {
            self.ops.push(Op::NoFunction(name.into()));
            return;
        };
        arguments.iter().for_each(|argument| self.expr(argument));
        self.ops.push(Op::Call { function, arguments: arguments.len() as u32 });
    }
}
