//! Runs programs. Total: whatever the program and the event are, there is a
//! value, and perhaps an error.
//!
//! The first error decides the value: whatever operator or function has an
//! operand with an error has the zero value of its own type (specification 3.2
//! and 3.3), and so have all around it. The evaluation therefore ends at the
//! first error, with the zero value of the outermost.
//!
//! Time and memory are bounded by the sizes of program and event: there are no
//! loops in programs, jumps go forward only, and strings that grow are capped.

use super::correlation::CorrelationKeys;
use super::error::ErrorKind;
use super::failure::Failure;
use super::operand::Operand;
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
        let mut machine = Machine { stack: SmallVec::new(), op: 0 };
        while let Some(op) = self.ops.get(machine.op) {
            if let Err(Failure { kind, value }) = machine.step(op, view, keys) {
                let last = self.ops.len() - 1;
                let value = value.filter(|_| machine.op == last);
                let value = value.unwrap_or_else(|| self.ops[last].result().zero());
                return (value, Some(Fault { kind, op: machine.op }));
            }
            machine.op += 1;
        }
        (machine.pop(), None)
    }

    /// Whether the value is `true` and no error occurred. With `cast`, any
    /// value that casts to `true` will do, as for an operand of AND.
    pub(crate) fn passes<'a, A: Attributes>(
        &'a self,
        view: &mut View<'a, A>,
        keys: Option<&dyn CorrelationKeys>,
        cast: bool,
    ) -> bool {
        match self.run(view, keys) {
            (_, Some(_)) => false,
            (Operand::Boolean(truth), None) => truth,
            (other, None) => cast && other.boolean() == Ok(true),
        }
    }
}

struct Machine<'a> {
    stack: SmallVec<[Operand<'a>; STACK_INLINE]>,
    op: usize,
}

impl<'a> Machine<'a> {
    fn pop(&mut self) -> Operand<'a> {
        self.stack.pop().expect("every step finds the operands that the compiler laid out for it")
    }

    fn step<A: Attributes>(
        &mut self,
        op: &'a Op,
        view: &mut View<'a, A>,
        keys: Option<&dyn CorrelationKeys>,
    ) -> Result<(), Failure<'a>> {
        let result = match op {
            Op::Integer(number) => Operand::Integer(*number),
            Op::Boolean(truth) => Operand::Boolean(*truth),
            Op::Text(text) => Operand::Text(text),
            Op::Attribute(id) => view.value(*id).ok_or(ErrorKind::MissingAttribute)?.into(),
            Op::Exists(id) => Operand::Boolean(view.value(*id).is_some()),
            Op::Not => Operand::Boolean(self.pop().negation()?),
            Op::Negate => Operand::Integer(self.pop().integer()?.checked_neg().ok_or(ErrorKind::Math)?),
            Op::ShortCircuit { on, to } => {
                if self.pop().boolean()? != *on {
                    return Ok(());
                }
                // The loop adds the one that is missing here.
                self.op = *to as usize - 1;
                Operand::Boolean(*on)
            }
            Op::ToBoolean => Operand::Boolean(self.pop().boolean()?),
            Op::Xor => {
                let (right, left) = (self.pop(), self.pop());
                Operand::Boolean(left.boolean()? ^ right.boolean()?)
            }
            Op::Equal { negated } => {
                let (right, left) = (self.pop(), self.pop());
                Operand::Boolean(left.equals(&right)? != *negated)
            }
            Op::Order(operator) => Operand::Boolean(self.order(*operator)?),
            Op::Arithmetic(operator) => Operand::Integer(self.arithmetic(*operator)?),
            Op::Like { negated, pattern } => {
                let text = self.pop().into_text();
                Operand::Boolean(pattern.matches(text.text().unwrap_or_default()) != *negated)
            }
            Op::In { negated, elements } => Operand::Boolean(self.member(*elements as usize)? != *negated),
            Op::Call { function, arguments } => {
                let first = self.stack.len() - *arguments as usize;
                let value = function.apply(&mut self.stack[first..], keys)?;
                self.stack.truncate(first);
                value
            }
            Op::NoFunction(_) => return Err(ErrorKind::MissingFunction.into()),
        };
        self.stack.push(result);
        Ok(())
    }

    fn integers(&mut self) -> Result<(i32, i32), ErrorKind> {
        let (right, left) = (self.pop(), self.pop());
        Ok((left.integer()?, right.integer()?))
    }

    fn order(&mut self, operator: Binary) -> Result<bool, ErrorKind> {
        let (left, right) = self.integers()?;
        Ok(match operator {
            Binary::Less => left < right,
            Binary::LessOrEqual => left <= right,
            Binary::Greater => left > right,
            _ => left >= right,
        })
    }

    fn arithmetic(&mut self, operator: Binary) -> Result<i32, ErrorKind> {
        let (left, right) = self.integers()?;
        let result = match operator {
            Binary::Add => left.checked_add(right),
            Binary::Subtract => left.checked_sub(right),
            Binary::Multiply => left.checked_mul(right),
            Binary::Divide => left.checked_div(right),
            // `MIN % -1` is 0, though the quotient is out of range.
            _ if right == -1 => Some(0),
            _ => left.checked_rem(right),
        };
        result.ok_or(ErrorKind::Math)
    }

    /// Whether the value below the topmost `elements` equals one of them. Each
    /// is cast to the type of the value, also those after the one found: an
    /// element without a counterpart is an error wherever it stands.
    fn member(&mut self, elements: usize) -> Result<bool, ErrorKind> {
        let first = self.stack.len() - elements;
        let (below, set) = self.stack.split_at_mut(first);
        let value = below.last().expect("the value lies below its set");
        let mut found = false;
        for element in set {
            found |= std::mem::replace(element, Operand::Boolean(false)).equals(value)?;
        }
        self.stack.truncate(first - 1);
        Ok(found)
    }
}
