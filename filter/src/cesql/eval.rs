//! Runs programs. Total: whatever the program and the event are, there is a
//! value, and perhaps an error.
//!
//! Time and memory are bounded by the sizes of program and event: there are no
//! loops in programs, jumps go forward only, and strings that grow are capped.

use super::correlation::CorrelationKeys;
use super::error::ErrorKind;
use super::operand::{Cast, Operand};
use super::program::{Op, Program};
use super::tree::Binary;
use crate::value::Attributes;
use crate::view::View;
use smallvec::SmallVec;

/// Operands that fit without an allocation; an expression needs more than a
/// few only for long sets and argument lists.
const STACK_INLINE: usize = 16;

/// The first error of an evaluation and the step it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: ErrorKind,
    pub(crate) op: usize,
}

impl Program {
    /// The value of the expression for one event, and the first error.
    pub(crate) fn run<'a, A: Attributes>(
        &'a self,
        view: &mut View<'a, A>,
        keys: Option<&dyn CorrelationKeys>,
    ) -> (Operand<'a>, Option<Fault>) {
        let mut machine = Machine { stack: SmallVec::new(), fault: None, op: 0 };
        while let Some(op) = self.ops.get(machine.op) {
            machine.step(op, view, keys);
            machine.op += 1;
        }
        (machine.pop(), machine.fault)
    }

    /// Whether the value is `true` and no error occurred. With `cast`, any
    /// value that casts to `true` will do, as for an operand of AND.
    pub(crate) fn passes<'a, A: Attributes>(
        &'a self,
        view: &mut View<'a, A>,
        keys: Option<&dyn CorrelationKeys>,
        cast: bool,
    ) -> bool {
        let (value, fault) = self.run(view, keys);
        fault.is_none()
            && match value {
                Operand::Boolean(truth) => truth,
                other => cast && other.boolean() == (true, None),
            }
    }
}

struct Machine<'a> {
    stack: SmallVec<[Operand<'a>; STACK_INLINE]>,
    fault: Option<Fault>,
    op: usize,
}

impl<'a> Machine<'a> {
    fn pop(&mut self) -> Operand<'a> {
        self.stack.pop().expect("every step finds the operands that the compiler laid out for it")
    }

    fn note(&mut self, error: Option<ErrorKind>) {
        if let (None, Some(kind)) = (self.fault, error) {
            self.fault = Some(Fault { kind, op: self.op });
        }
    }

    /// Unwraps a cast, keeping its error.
    fn cast<T>(&mut self, (value, error): Cast<T>) -> T {
        self.note(error);
        value
    }

    fn boolean(&mut self) -> bool {
        let operand = self.pop();
        self.cast(operand.boolean())
    }

    fn integer(&mut self) -> i32 {
        let operand = self.pop();
        self.cast(operand.integer())
    }

    fn step<A: Attributes>(
        &mut self,
        op: &'a Op,
        view: &mut View<'a, A>,
        keys: Option<&dyn CorrelationKeys>,
    ) {
        let result = match op {
            Op::Integer(number) => Operand::Integer(*number),
            Op::Boolean(truth) => Operand::Boolean(*truth),
            Op::Text(text) => Operand::Text(text),
            Op::Attribute(id) => match view.value(*id) {
                Some(value) => value.into(),
                None => {
                    self.note(Some(ErrorKind::MissingAttribute));
                    Operand::Missing
                }
            },
            Op::Exists(id) => Operand::Boolean(view.value(*id).is_some()),
            Op::Not => Operand::Boolean(!self.boolean()),
            Op::Negate => {
                let number = self.integer();
                self.whole(number.checked_neg(), i32::MAX)
            }
            Op::ShortCircuit { on, to } => {
                if self.boolean() != *on {
                    return;
                }
                // The loop adds the one that is missing here.
                self.op = *to as usize - 1;
                Operand::Boolean(*on)
            }
            Op::ToBoolean => Operand::Boolean(self.boolean()),
            Op::Xor => {
                let (right, left) = (self.pop(), self.pop());
                let left = self.cast(left.boolean());
                Operand::Boolean(left ^ self.cast(right.boolean()))
            }
            Op::Equal { negated } => {
                let (right, left) = (self.pop(), self.pop());
                Operand::Boolean(self.cast(left.equals(&right)) != *negated)
            }
            Op::Order(operator) => self.order(*operator),
            Op::Arithmetic(operator) => self.arithmetic(*operator),
            Op::Like { negated, pattern } => {
                let text = self.pop().into_text();
                Operand::Boolean(pattern.matches(text.text().unwrap_or_default()) != *negated)
            }
            Op::In { negated, elements } => Operand::Boolean(self.member(*elements as usize) != *negated),
            Op::Call { function, arguments } => {
                let first = self.stack.len() - *arguments as usize;
                let (value, error) = function.apply(&mut self.stack[first..], keys);
                self.stack.truncate(first);
                self.cast((value, error))
            }
            Op::NoFunction(_) => {
                self.note(Some(ErrorKind::MissingFunction));
                Operand::Boolean(false)
            }
        };
        self.stack.push(result);
    }

    /// An integer, or the nearest one to a result that is out of range.
    fn whole(&mut self, exact: Option<i32>, nearest: i32) -> Operand<'a> {
        if exact.is_none() {
            self.note(Some(ErrorKind::Math));
        }
        Operand::Integer(exact.unwrap_or(nearest))
    }

    fn integers(&mut self) -> (i32, i32) {
        let (right, left) = (self.pop(), self.pop());
        let left = self.cast(left.integer());
        (left, self.cast(right.integer()))
    }

    fn order(&mut self, operator: Binary) -> Operand<'a> {
        let (left, right) = self.integers();
        Operand::Boolean(match operator {
            Binary::Less => left < right,
            Binary::LessOrEqual => left <= right,
            Binary::Greater => left > right,
            _ => left >= right,
        })
    }

    fn arithmetic(&mut self, operator: Binary) -> Operand<'a> {
        let (left, right) = self.integers();
        let nearest = |negative: bool| if negative { i32::MIN } else { i32::MAX };
        match operator {
            Binary::Add => self.whole(left.checked_add(right), nearest(left < 0)),
            Binary::Subtract => self.whole(left.checked_sub(right), nearest(left < 0)),
            Binary::Multiply => self.whole(left.checked_mul(right), nearest((left < 0) != (right < 0))),
            Binary::Divide if right != 0 => self.whole(left.checked_div(right), i32::MAX),
            // Only `MIN % -1` is unchecked by the guard, and its remainder is 0.
            Binary::Remainder if right != 0 => Operand::Integer(left.wrapping_rem(right)),
            _ => self.whole(None, 0),
        }
    }

    /// Whether the value below the topmost `elements` equals one of them. Each
    /// is cast to the type of the value, and all their errors count. A missing
    /// attribute has no type, and is in no set.
    fn member(&mut self, elements: usize) -> bool {
        let first = self.stack.len() - elements;
        let (mut found, mut error) = (false, None);
        let (below, set) = self.stack.split_at_mut(first);
        let value = below.last().expect("the value lies below its set");
        let is_missing = matches!(value, Operand::Missing);
        for element in set {
            let element = std::mem::replace(element, Operand::Missing);
            let (equal, failed) = element.equals(value);
            found |= equal && !is_missing;
            error = error.or(failed);
        }
        self.note(error);
        self.stack.truncate(first - 1);
        found
    }
}
