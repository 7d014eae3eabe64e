//! Why an event does or does not pass one filter, for tools and people.
//!
//! Goes through the filter as written, step by step and without the index; a
//! second opinion on what [`crate::Matcher`] decides.

use crate::cesql::{self, Binary, CorrelationKeys, Expr, Expression};
use crate::condition::{Relation, canonical, is_skipped};
use crate::value::Attributes;
use crate::view::View;
use crate::{Filter, Problem, path};

/// The outcome of one filter for one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Whether the event passes.
    pub verdict: Verdict,
    /// The conditions that keep the event away; empty unless the verdict is
    /// [`Verdict::Fail`]. Of `all` the first failing one, of `any` each.
    pub stops: Vec<Stop>,
}

/// The three outcomes of a filter; only `Fail` keeps an event away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The event meets the filter.
    Pass,
    /// The event does not meet the filter.
    Fail,
    /// The filter asks for nothing.
    NoFilter,
}

/// A condition that the event did not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Where it stands, for example `filters[1].exact.type`.
    pub path: String,
    /// What it asks for.
    pub text: String,
    /// What the event has instead.
    pub actual: String,
}

/// Judges one event by one filter and says which conditions stopped it. The
/// filter must be valid.
pub fn explain<A: Attributes>(
    filter: &Filter,
    event: &A,
    keys: Option<&dyn CorrelationKeys>,
) -> Result<Explanation, Vec<Problem>> {
    crate::validate(filter)?;
    let mut explainer = Explainer { event, keys, stops: Vec::new() };
    let verdict = match explainer.judge(filter, &path::root(filter)) {
        None => Verdict::NoFilter,
        Some(true) => Verdict::Pass,
        Some(false) => Verdict::Fail,
    };
    Ok(Explanation { verdict, stops: explainer.stops })
}

struct Explainer<'e, A> {
    event: &'e A,
    keys: Option<&'e dyn CorrelationKeys>,
    stops: Vec<Stop>,
}

impl<A: Attributes> Explainer<'_, A> {
    fn judge(&mut self, filter: &Filter, at: &str) -> Option<bool> {
        let place = path::dialect(at, filter);
        match filter {
            Filter::Everything => None,
            Filter::Attributes(pairs) => {
                let each = pairs.iter().filter(|(name, want)| !(name == "time" && want.is_empty()));
                let outcomes: Vec<bool> =
                    each.map(|pair| self.pair(Relation::Equals, pair, &place)).collect();
                (!outcomes.is_empty()).then(|| outcomes.iter().all(|passed| *passed))
            }
            Filter::Exact(pairs) => self.pairs(Relation::Equals, pairs, &place),
            Filter::Prefix(pairs) => self.pairs(Relation::StartsWith, pairs, &place),
            Filter::Suffix(pairs) => self.pairs(Relation::EndsWith, pairs, &place),
            Filter::All(filters) => {
                let mut outcome = None;
                for (position, inner) in filters.iter().enumerate() {
                    outcome = self.judge(inner, &format!("{place}[{position}]")).or(outcome);
                    if outcome == Some(false) {
                        break;
                    }
                }
                outcome
            }
            Filter::Any(filters) => self.any(filters, &place),
            Filter::Not(inner) => self.not(inner, &place),
            Filter::Cesql(text) if text.is_empty() => None,
            Filter::Cesql(text) => Some(self.expression(text, &place)),
        }
    }

    fn pairs(&mut self, relation: Relation, pairs: &[(String, String)], place: &str) -> Option<bool> {
        (!is_skipped(pairs)).then(|| pairs.iter().all(|pair| self.pair(relation, pair, place)))
    }

    fn pair(&mut self, relation: Relation, (name, want): &(String, String), place: &str) -> bool {
        let names = [canonical(name).into()];
        let mut view = View::new(self.event, &names);
        let have = view.text(0);
        let passed = match have {
            None => false,
            Some(have) if want.is_empty() => !have.is_empty(),
            Some(have) => relation.holds(have, want),
        };
        if !passed {
            let text = match relation {
                Relation::Equals if want.is_empty() => format!("{name} is set and not empty"),
                Relation::Equals => format!("{name} is {want:?}"),
                Relation::StartsWith => format!("{name} starts with {want:?}"),
                Relation::EndsWith => format!("{name} ends with {want:?}"),
            };
            let actual = have.map_or("not set".into(), |have| format!("{have:?}"));
            self.stops.push(Stop { path: format!("{place}.{name}"), text, actual });
        }
        passed
    }

    fn any(&mut self, filters: &[Filter], place: &str) -> Option<bool> {
        let before = self.stops.len();
        let mut outcome = None;
        for (position, inner) in filters.iter().enumerate() {
            outcome = self.judge(inner, &format!("{place}[{position}]")).or(outcome);
            if outcome == Some(true) {
                self.stops.truncate(before);
                break;
            }
        }
        outcome
    }

    fn not(&mut self, inner: &Filter, place: &str) -> Option<bool> {
        let before = self.stops.len();
        let passed = self.judge(inner, place)?;
        self.stops.truncate(before);
        if passed {
            let text = "the filter inside does not pass".into();
            self.stops.push(Stop { path: place.into(), text, actual: "it passes".into() });
        }
        Some(!passed)
    }

    /// An expression passes if each operand of its outermost ANDs does; the
    /// first that does not is the reason.
    fn expression(&mut self, text: &str, place: &str) -> bool {
        let tree = cesql::parse(text).expect("a valid filter has no expression that does not parse");
        let whole = Expression::of(tree.clone()).evaluate(self.event, self.keys);
        if whole.passes() {
            return true;
        }
        let mut operands = Vec::new();
        conjuncts(tree, &mut operands);
        let alone = operands.len() == 1;
        let reason = operands.into_iter().map(Expression::of).find_map(|operand| {
            let result = operand.evaluate(self.event, self.keys);
            let cast = Expr::Call { name: "BOOL".into(), arguments: vec![operand.tree().clone()] };
            let passed =
                if alone { result.passes() } else { Expression::of(cast).passes(self.event, self.keys) };
            (!passed).then_some((operand, result))
        });
        let (operand, result) = reason.expect("AND passes if its operands do");
        let mut facts = vec![match &result.error {
            Some(error) => error.to_string(),
            None => format!("the result is {}", result.value),
        }];
        let read = |name: &str| format!("{name} = {}", cesql::shown(self.event.get(name)));
        facts.extend(operand.attributes().map(read));
        self.stops.push(Stop {
            path: place.into(),
            text: operand.tree().to_string(),
            actual: facts.join("; "),
        });
        false
    }
}

fn conjuncts(expr: Expr, into: &mut Vec<Expr>) {
    match expr {
        Expr::Binary(Binary::And, left, right) => {
            conjuncts(*left, into);
            conjuncts(*right, into);
        }
        operand => into.push(operand),
    }
}
