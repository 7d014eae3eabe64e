//! Filters of every dialect reduced to one Boolean form.
//!
//! "No filter" is decided here once and for all: it is a property of the
//! filter's text, never of the event. An object without a condition vanishes
//! from the list it is in, and whatever has nothing left is "no filter" itself.
//! What remains passes or fails.

use crate::Filter;
use crate::cesql::{self, Binary, Expr, Function, SyntaxError, Type, Unary};
use crate::view::MEDIA_TYPE;

/// What must hold of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// The canonical string of the attribute stands in a relation to a text.
    Text(Relation, String, String),
    /// The attribute is there and not empty.
    Present(String),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// The expression is true without an error. With `cast`, a value that
    /// casts to `true` will do: an operand of AND.
    Cesql {
        expr: Expr,
        cast: bool,
    },
}

/// How an attribute relates to a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Relation {
    Equals,
    StartsWith,
    EndsWith,
}

impl Relation {
    pub(crate) fn holds(self, have: &str, want: &str) -> bool {
        match self {
            Relation::Equals => have == want,
            Relation::StartsWith => have.starts_with(want),
            Relation::EndsWith => have.ends_with(want),
        }
    }
}

impl Condition {
    /// The condition behind a filter; `None` for "no filter". Fails on a CESQL
    /// expression that does not parse.
    pub(crate) fn of(filter: &Filter) -> Result<Option<Condition>, SyntaxError> {
        Ok(match filter {
            Filter::Everything => None,
            Filter::Attributes(pairs) => all(pairs.iter().filter_map(legacy).collect()),
            Filter::Exact(pairs) => texts(Relation::Equals, pairs),
            Filter::Prefix(pairs) => texts(Relation::StartsWith, pairs),
            Filter::Suffix(pairs) => texts(Relation::EndsWith, pairs),
            Filter::All(filters) => all(conditions(filters)?),
            Filter::Any(filters) => match conditions(filters)? {
                list if list.len() < 2 => list.into_iter().next(),
                list => Some(Condition::Any(list)),
            },
            Filter::Not(inner) => Condition::of(inner)?.map(|inner| Condition::Not(Box::new(inner))),
            Filter::Cesql(text) if text.is_empty() => None,
            Filter::Cesql(text) => Some(expression(cesql::fold(cesql::parse(text)?), false)),
        })
    }
}

fn conditions(filters: &[Filter]) -> Result<Vec<Condition>, SyntaxError> {
    filters.iter().filter_map(|filter| Condition::of(filter).transpose()).collect()
}

fn all(mut list: Vec<Condition>) -> Option<Condition> {
    if list.len() < 2 { list.pop() } else { Some(Condition::All(list)) }
}

/// Whether the pairs of `exact`, `prefix` or `suffix` are a filter at all: an
/// object with no pair, or one whose name or text is empty, is skipped
/// (contract 2.3).
pub(crate) fn is_skipped(pairs: &[(String, String)]) -> bool {
    pairs.is_empty() || pairs.iter().any(|(name, text)| name.is_empty() || text.is_empty())
}

fn texts(relation: Relation, pairs: &[(String, String)]) -> Option<Condition> {
    if is_skipped(pairs) {
        return None;
    }
    all(pairs.iter().map(|(name, text)| Condition::Text(relation, canonical(name), text.clone())).collect())
}

/// One pair of the legacy filter. `time` with an empty value always passes:
/// upstream gives an event without one the zero time (contract 2.2).
fn legacy((name, text): &(String, String)) -> Option<Condition> {
    match text.as_str() {
        "" if name == "time" => None,
        "" => Some(Condition::Present(canonical(name))),
        _ => Some(Condition::Text(Relation::Equals, canonical(name), text.clone())),
    }
}

/// Names of earlier CloudEvents versions that still resolve (contract 2.2).
pub(crate) fn canonical(name: &str) -> String {
    match name {
        "schemaurl" => "dataschema",
        "datamediatype" => MEDIA_TYPE,
        name => name,
    }
    .to_owned()
}

/// The condition of an expression. It passes only without any error, so the
/// operands of AND are conditions of their own, and comparisons of attributes
/// with literals need no program.
fn expression(expr: Expr, cast: bool) -> Condition {
    match expr {
        Expr::Binary(Binary::And, left, right) => {
            let mut list = Vec::new();
            for operand in [*left, *right] {
                match expression(operand, true) {
                    Condition::All(inner) => list.extend(inner),
                    other => list.push(other),
                }
            }
            Condition::All(list)
        }
        expr => match comparison(&expr) {
            Some((relation, name, text)) => Condition::Text(relation, name, text),
            // Where a cast changes nothing the condition is the same without.
            None => Condition::Cesql { cast: cast && !is_boolean(&expr), expr },
        },
    }
}

/// Whether every value of the expression is Boolean.
fn is_boolean(expr: &Expr) -> bool {
    match expr {
        Expr::Boolean(_) | Expr::Exists(_) | Expr::Unary(Unary::Not, _) => true,
        Expr::Like { .. } | Expr::In { .. } => true,
        Expr::Binary(operator, ..) => operator.is_boolean(),
        Expr::Call { name, arguments } => {
            Function::find(name, arguments.len()).is_some_and(|function| function.result() == Type::Boolean)
        }
        Expr::Unary(Unary::Negate, _) | Expr::Integer(_) | Expr::String(_) | Expr::Attribute(_) => false,
    }
}

/// `attribute = 'text'`, and LIKE with a pattern that asks no more than a start
/// or an end. With a text on the right the attribute is compared as its
/// canonical string, and a missing one is an error: exactly the other dialects'
/// rules.
pub(crate) fn comparison(expr: &Expr) -> Option<(Relation, String, String)> {
    match expr {
        Expr::Binary(Binary::Equal, x, y) => match (&**x, &**y) {
            (Expr::Attribute(name), Expr::String(text)) => {
                Some((Relation::Equals, name.clone(), text.clone()))
            }
            _ => None,
        },
        Expr::Like { negated: false, subject, pattern } => {
            let Expr::Attribute(name) = &**subject else { return None };
            let (relation, text) = match cesql::like::Pattern::new(pattern) {
                cesql::like::Pattern::Exact(text) => (Relation::Equals, text),
                cesql::like::Pattern::Prefix(text) => (Relation::StartsWith, text),
                cesql::like::Pattern::Suffix(text) => (Relation::EndsWith, text),
                cesql::like::Pattern::Parts(_) => return None,
            };
            Some((relation, name.clone(), text.into()))
        }
        _ => None,
    }
}
