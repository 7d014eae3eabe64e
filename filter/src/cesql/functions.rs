//! The built-in functions. Lengths and positions count characters.

use super::correlation::{Claim, CorrelationKeys, verify};
use super::error::ErrorKind;
use super::failure::Failure;
use super::operand::{Operand, Type};
use crate::limits::TEXT_BYTES_MAX;
use std::ops::Range;

/// A function, told apart from others of its name by the number of arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Length,
    Concat,
    ConcatWs,
    Lower,
    Upper,
    Trim,
    Left,
    Right,
    Substring,
    Abs,
    Int,
    Bool,
    Text,
    IsInt,
    IsBool,
    VerifyCorrelationId,
}

impl Function {
    /// The function with this name (in upper case) and number of arguments.
    pub(crate) fn find(name: &str, arguments: usize) -> Option<Function> {
        let (function, arity) = Function::named(name)?;
        arity.contains(&arguments).then_some(function)
    }

    /// The function of this name, and how many arguments it takes.
    pub(crate) fn named(name: &str) -> Option<(Function, std::ops::RangeInclusive<usize>)> {
        Some(match name {
            "LENGTH" => (Function::Length, 1..=1),
            "CONCAT" => (Function::Concat, 0..=usize::MAX),
            "CONCAT_WS" => (Function::ConcatWs, 1..=usize::MAX),
            "LOWER" => (Function::Lower, 1..=1),
            "UPPER" => (Function::Upper, 1..=1),
            "TRIM" => (Function::Trim, 1..=1),
            "LEFT" => (Function::Left, 2..=2),
            "RIGHT" => (Function::Right, 2..=2),
            "SUBSTRING" => (Function::Substring, 2..=3),
            "ABS" => (Function::Abs, 1..=1),
            "INT" => (Function::Int, 1..=1),
            "BOOL" => (Function::Bool, 1..=1),
            "STRING" => (Function::Text, 1..=1),
            "IS_INT" => (Function::IsInt, 1..=1),
            "IS_BOOL" => (Function::IsBool, 1..=1),
            "KN_VERIFY_CORRELATION_ID" => (Function::VerifyCorrelationId, 6..=6),
            _ => return None,
        })
    }

    /// Whether the result depends on the arguments alone.
    pub(crate) fn is_pure(self) -> bool {
        self != Function::VerifyCorrelationId
    }

    /// The type of the result.
    pub(crate) fn result(self) -> Type {
        match self {
            Function::Bool | Function::IsInt | Function::IsBool | Function::VerifyCorrelationId => {
                Type::Boolean
            }
            Function::Length | Function::Abs | Function::Int => Type::Integer,
            Function::Concat
            | Function::ConcatWs
            | Function::Lower
            | Function::Upper
            | Function::Trim
            | Function::Left
            | Function::Right
            | Function::Substring
            | Function::Text => Type::String,
        }
    }

    /// Applies the function to as many arguments as `find` agreed to; nothing
    /// of use is left in them.
    pub(crate) fn apply<'a>(
        self,
        arguments: &mut [Operand<'a>],
        keys: Option<&dyn CorrelationKeys>,
    ) -> Result<Operand<'a>, Failure<'a>> {
        Ok(match self {
            Function::Length => {
                let x = text(arguments, 0);
                let length = x.text().unwrap_or_default().chars().count();
                Operand::Integer(i32::try_from(length).unwrap_or(i32::MAX))
            }
            Function::Concat => join(Operand::Text(""), arguments)?,
            Function::ConcatWs => join(text(arguments, 0), &mut arguments[1..])?,
            Function::Lower => recase(text(arguments, 0), str::to_lowercase, u8::is_ascii_lowercase),
            Function::Upper => recase(text(arguments, 0), str::to_uppercase, u8::is_ascii_uppercase),
            Function::Trim => slice(text(arguments, 0), trimmed),
            Function::Left => end(arguments, |x, count| 0..position(x, count))?,
            Function::Right => {
                end(arguments, |x, count| position(x, x.chars().count().saturating_sub(count))..x.len())?
            }
            Function::Substring => substring(arguments)?,
            Function::Abs => {
                let number = arguments[0].integer()?.checked_abs();
                let number = number.ok_or(Failure::with(ErrorKind::Math, Operand::Integer(i32::MAX)))?;
                Operand::Integer(number)
            }
            Function::Int => Operand::Integer(arguments[0].integer()?),
            Function::Bool => Operand::Boolean(arguments[0].boolean()?),
            Function::Text => text(arguments, 0),
            Function::IsInt => Operand::Boolean(arguments[0].integer().is_ok()),
            Function::IsBool => Operand::Boolean(arguments[0].boolean().is_ok()),
            Function::VerifyCorrelationId => Operand::Boolean(correlation(arguments, keys)?),
        })
    }
}

/// Takes an argument out, cast to String.
fn text<'a>(arguments: &mut [Operand<'a>], which: usize) -> Operand<'a> {
    std::mem::replace(&mut arguments[which], Operand::Text("")).into_text()
}

/// A part of a text, still borrowed if the text is.
fn slice<'a>(whole: Operand<'a>, part: impl Fn(&str) -> Range<usize>) -> Operand<'a> {
    match whole {
        Operand::Text(text) => Operand::Text(&text[part(text)]),
        other => {
            let text = other.text().unwrap_or_default();
            Operand::Owned(text[part(text)].to_owned())
        }
    }
}

fn trimmed(x: &str) -> Range<usize> {
    let start = x.len() - x.trim_start().len();
    start..start + x.trim().len()
}

fn recase<'a>(x: Operand<'a>, change: fn(&str) -> String, is_done: fn(&u8) -> bool) -> Operand<'a> {
    let text = x.text().unwrap_or_default();
    if text.bytes().all(|b| b.is_ascii() && (!b.is_ascii_alphabetic() || is_done(&b))) {
        return x;
    }
    Operand::Owned(change(text))
}

fn join<'a>(delimiter: Operand<'a>, parts: &mut [Operand<'a>]) -> Result<Operand<'a>, ErrorKind> {
    let delimiter = delimiter.text().unwrap_or_default();
    let mut joined = String::new();
    for position in 0..parts.len() {
        let part = text(parts, position);
        let part = part.text().unwrap_or_default();
        let gap = if position > 0 { delimiter } else { "" };
        if joined.len() + gap.len() + part.len() > TEXT_BYTES_MAX {
            return Err(ErrorKind::FunctionEvaluation);
        }
        joined.push_str(gap);
        joined.push_str(part);
    }
    Ok(Operand::Owned(joined))
}

/// The byte at which the character number `count` (from 0) begins, or the end.
fn position(text: &str, count: usize) -> usize {
    text.char_indices().nth(count).map_or(text.len(), |(at, _)| at)
}

/// LEFT and RIGHT.
fn end<'a>(
    arguments: &mut [Operand<'a>],
    part: impl Fn(&str, usize) -> Range<usize>,
) -> Result<Operand<'a>, Failure<'a>> {
    let count = usize::try_from(arguments[1].integer()?);
    let x = text(arguments, 0);
    match count {
        Ok(count) => Ok(slice(x, |x| part(x, count))),
        Err(_) => Err(Failure::with(ErrorKind::FunctionEvaluation, x)),
    }
}

fn substring<'a>(arguments: &mut [Operand<'a>]) -> Result<Operand<'a>, ErrorKind> {
    let from = arguments[1].integer()?;
    let length = arguments.get(2).map_or(Ok(i32::MAX), Operand::integer)?;
    let length = usize::try_from(length).map_err(|_| ErrorKind::FunctionEvaluation)?;
    let x = text(arguments, 0);
    let characters = x.text().unwrap_or_default().chars().count();
    let distance = from.unsigned_abs() as usize;
    if distance > characters {
        return Err(ErrorKind::FunctionEvaluation);
    }
    let start = match from {
        0 => return Ok(Operand::Text("")),
        1.. => distance - 1,
        _ => characters - distance,
    };
    Ok(slice(x, |x| {
        let start = position(x, start);
        start..start + position(&x[start..], length)
    }))
}

fn correlation(arguments: &mut [Operand<'_>], keys: Option<&dyn CorrelationKeys>) -> Result<bool, ErrorKind> {
    let (pod, replicas) = (arguments[4].integer()?, arguments[5].integer()?);
    let texts: [Operand<'_>; 4] = std::array::from_fn(|which| text(arguments, which));
    let [reply, name, namespace, secret] = texts.each_ref().map(|x| x.text().unwrap_or_default());
    verify(&Claim { reply, name, namespace, secret }, pod, replicas, keys)
}
