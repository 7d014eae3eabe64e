//! Checks of a filter when it is configured.

use crate::cesql::{self, Expr, Function};
use crate::condition::is_skipped;
use crate::limits::{FILTER_DEPTH_MAX, FILTER_NODES_MAX};
use crate::{Filter, Problem, path};

/// Checks a filter; every mistake is reported, in the order of the text.
///
/// What upstream's webhook accepts is accepted, also where it hardly does what
/// its author meant: [`warnings`] speaks of that.
pub fn validate(filter: &Filter) -> Result<(), Vec<Problem>> {
    let mut check = Check { mistakes: Vec::new(), warnings: Vec::new(), nodes: 0 };
    check.filter(filter, &path::root(filter), 1);
    if check.mistakes.is_empty() { Ok(()) } else { Err(check.mistakes) }
}

/// What is allowed and yet most likely not meant: objects that are skipped and
/// so let every event pass, and functions that do not exist.
pub fn warnings(filter: &Filter) -> Vec<Problem> {
    let mut check = Check { mistakes: Vec::new(), warnings: Vec::new(), nodes: 0 };
    check.filter(filter, &path::root(filter), 1);
    check.warnings
}

struct Check {
    mistakes: Vec<Problem>,
    warnings: Vec<Problem>,
    nodes: usize,
}

impl Check {
    fn filter(&mut self, filter: &Filter, at: &str, depth: usize) {
        let place = path::dialect(at, filter);
        self.nodes += 1;
        if self.nodes == FILTER_NODES_MAX + 1 {
            let message = format!("the trigger has more than {FILTER_NODES_MAX} filter objects");
            self.mistakes.push(problem(&place, message, "split it into several triggers"));
        }
        if self.nodes > FILTER_NODES_MAX {
            return;
        }
        if depth > FILTER_DEPTH_MAX {
            let message = format!("filters are nested more than {FILTER_DEPTH_MAX} deep");
            self.mistakes.push(problem(&place, message, "flatten `all` within `all` and `any` within `any`"));
            return;
        }
        match filter {
            Filter::Everything => {}
            Filter::Attributes(pairs) => self.names(pairs, &place),
            Filter::Exact(pairs) | Filter::Prefix(pairs) | Filter::Suffix(pairs) => {
                self.names(pairs, &place);
                if is_skipped(pairs) {
                    self.skipped(&place, "names no attribute or has an empty value");
                }
            }
            Filter::All(filters) | Filter::Any(filters) => {
                for (position, inner) in filters.iter().enumerate() {
                    self.filter(inner, &format!("{place}[{position}]"), depth + 1);
                }
            }
            Filter::Not(inner) => self.filter(inner, &place, depth + 1),
            Filter::Cesql(text) if text.is_empty() => self.skipped(&place, "is empty"),
            Filter::Cesql(text) => self.expression(text, &place),
        }
    }

    fn skipped(&mut self, place: &str, why: &str) {
        let message = format!("the filter {why}, so it is skipped and keeps no event away");
        self.warnings.push(problem(place, message, "remove it, or give it a value"));
    }

    fn names(&mut self, pairs: &[(String, String)], place: &str) {
        for (name, _) in pairs {
            let mut bytes = name.bytes();
            let is_name = bytes.next().is_some_and(|first| first.is_ascii_lowercase())
                && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            if is_name {
                continue;
            }
            let message = format!("{name:?} is not the name of an attribute");
            let lower = name.to_ascii_lowercase();
            let hint = if lower != *name && lower.bytes().all(|b| b.is_ascii_alphanumeric()) {
                format!("attribute names are lower-case: {lower}")
            } else {
                "names have lower-case letters and digits only and begin with a letter".into()
            };
            self.mistakes.push(problem(place, message, &hint));
        }
    }

    fn expression(&mut self, text: &str, place: &str) {
        match cesql::parse(text) {
            Ok(expr) => self.functions(&expr, place),
            Err(refusal) => self.mistakes.push(Problem {
                path: place.into(),
                column: Some(refusal.column(text)),
                message: refusal.show(text),
                hint: refusal.hint,
            }),
        }
    }

    /// A call without a function is an error of every evaluation, not of the
    /// syntax.
    fn functions(&mut self, expr: &Expr, place: &str) {
        match expr {
            Expr::Unary(_, x) | Expr::Like { subject: x, .. } => self.functions(x, place),
            Expr::Binary(_, x, y) => {
                self.functions(x, place);
                self.functions(y, place);
            }
            Expr::In { subject, set, .. } => {
                self.functions(subject, place);
                set.iter().for_each(|element| self.functions(element, place));
            }
            Expr::Call { name, arguments } => {
                if Function::find(name, arguments.len()).is_none() {
                    let message = format!("there is no function {name} with {} arguments", arguments.len());
                    let hint = "an expression that comes to this call is an error and does not pass";
                    self.warnings.push(problem(place, message, hint));
                }
                arguments.iter().for_each(|argument| self.functions(argument, place));
            }
            Expr::Integer(_) | Expr::Boolean(_) | Expr::String(_) | Expr::Attribute(_) | Expr::Exists(_) => {}
        }
    }
}

fn problem(path: &str, message: String, hint: &str) -> Problem {
    Problem { path: path.into(), column: None, message, hint: hint.into() }
}
