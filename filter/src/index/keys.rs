//! Which events a condition can possibly pass: its keys.
//!
//! A condition that passes an event has at least one of its keys in common
//! with it. So a trigger is looked up by its keys, and judged only then.

use crate::cesql::{Binary, Expr};
use crate::condition::{Condition, Relation, comparison};

/// A relation between an attribute and a text that an index finds quickly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) relation: Relation,
    pub(crate) attribute: String,
    pub(crate) text: String,
}

/// The keys of a condition, one of which is necessary, and what looking them
/// up costs.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) list: Vec<Key>,
    pub(crate) cost: usize,
}

/// How the cost of a key is judged: the busier a key already is, the less it
/// tells triggers apart.
pub(crate) type Cost<'c> = &'c dyn Fn(&Key) -> usize;

/// The cheapest keys of a condition; `None` if it can pass an event about
/// which nothing is known.
pub(crate) fn keys(condition: &Condition, cost: Cost<'_>) -> Option<Keys> {
    match condition {
        Condition::Text(relation, attribute, text) => one(*relation, attribute, text, cost),
        Condition::Present(_) | Condition::Not(_) => None,
        Condition::All(list) => cheapest(list.iter().map(|condition| keys(condition, cost))),
        Condition::Any(list) => union(list.iter().map(|condition| keys(condition, cost))),
        Condition::Cesql { expr, .. } => expression(expr, cost),
    }
}

fn one(relation: Relation, attribute: &str, text: &str, cost: Cost<'_>) -> Option<Keys> {
    if text.is_empty() && relation != Relation::Equals {
        return None;
    }
    let key = Key { relation, attribute: attribute.to_owned(), text: text.to_owned() };
    Some(Keys { cost: cost(&key), list: vec![key] })
}

fn cheapest(each: impl Iterator<Item = Option<Keys>>) -> Option<Keys> {
    each.flatten().min_by_key(|keys| keys.cost)
}

fn union(each: impl Iterator<Item = Option<Keys>>) -> Option<Keys> {
    let mut all = Keys { list: Vec::new(), cost: 0 };
    for keys in each {
        let keys = keys?;
        all.cost += keys.cost;
        all.list.extend(keys.list);
    }
    all.list.sort_unstable();
    all.list.dedup();
    Some(all)
}

/// The keys without one of which the expression is not true free of errors.
fn expression(expr: &Expr, cost: Cost<'_>) -> Option<Keys> {
    if let Some((relation, attribute, text)) = comparison(expr) {
        return one(relation, &attribute, &text, cost);
    }
    match expr {
        Expr::Boolean(false) => Some(Keys { list: Vec::new(), cost: 0 }),
        Expr::Binary(Binary::And, x, y) => cheapest([expression(x, cost), expression(y, cost)].into_iter()),
        Expr::Binary(Binary::Or, x, y) => union([expression(x, cost), expression(y, cost)].into_iter()),
        Expr::In { negated: false, subject, set } => match &**subject {
            Expr::Attribute(name) => union(set.iter().map(|element| {
                let texts = equals(element)?;
                union(texts.iter().map(|text| one(Relation::Equals, name, text, cost)))
            })),
            _ => None,
        },
        _ => None,
    }
}

/// The canonical strings of every attribute that equals the literal once the
/// literal is cast to the attribute's type, as IN does.
fn equals(literal: &Expr) -> Option<Vec<String>> {
    Some(match literal {
        Expr::Integer(number) => vec![number.to_string(), (*number != 0).to_string()],
        Expr::Boolean(truth) => vec![truth.to_string(), i32::from(*truth).to_string()],
        Expr::String(text) => {
            let mut all = vec![text.clone()];
            all.extend(text.parse::<i32>().ok().map(|number| number.to_string()));
            all.extend(text.to_ascii_lowercase().parse::<bool>().ok().map(|truth| truth.to_string()));
            all
        }
        _ => return None,
    })
}
