//! The matcher against a naive reading of the contract, on generated triggers
//! and events whose values overlap on purpose.

mod common;

use common::{Event, Owned};
use eagre_filter::cesql::Expression;
use eagre_filter::{Attributes, Filter, Matcher, Verdict, explain};
use proptest::prelude::*;
use std::collections::BTreeMap;

const NAMES: [&str; 6] = ["type", "source", "tier", "qty", "active", "time"];
const TEXTS: [&str; 14] =
    ["", "a", "ab", "abc", "b", "bc", "ba", "c", "5", "05", "-1", "true", "TRUE", "false"];

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(NAMES.to_vec()).prop_map(String::from)
}

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(TEXTS.to_vec()).prop_map(String::from)
}

fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    let filled = prop::sample::select(TEXTS[1..].to_vec()).prop_map(String::from);
    let pair = (name(), prop_oneof![9 => filled, 1 => text()]);
    prop::collection::vec(pair, 0..3)
}

fn operand() -> impl Strategy<Value = String> {
    let comparison = (name(), prop::sample::select(vec!["=", "!=", "LIKE", "NOT LIKE"]), text())
        .prop_map(|(name, operator, text)| format!("{name} {operator} '{text}'"));
    let like = (name(), text(), text()).prop_map(|(name, start, end)| format!("{name} LIKE '{start}%{end}'"));
    let set =
        (name(), any::<bool>(), prop::collection::vec(element(), 1..4)).prop_map(|(name, negated, set)| {
            format!("{name} {}IN ({})", if negated { "NOT " } else { "" }, set.join(", "))
        });
    let other = prop_oneof![
        (name(), -2..6).prop_map(|(name, number)| format!("{name} = {number}")),
        (name(), -2..6).prop_map(|(name, number)| format!("{name} < {number}")),
        name().prop_map(|name| format!("EXISTS {name}")),
        name(),
        prop::sample::select(vec!["TRUE", "FALSE", "1", "'x'", "1 = 1"]).prop_map(String::from),
        (name(), text()).prop_map(|(name, text)| format!("'{text}' = {name}")),
    ];
    prop_oneof![3 => comparison, 2 => like, 2 => set, 3 => other]
}

fn element() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => text().prop_map(|text| format!("'{text}'")),
        1 => (-1..6).prop_map(|number: i32| number.to_string()),
        1 => prop::sample::select(vec!["TRUE", "FALSE", "tier"]).prop_map(String::from),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    operand().prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), prop::sample::select(vec!["AND", "AND", "OR", "XOR"]), inner.clone())
                .prop_map(|(left, operator, right)| format!("({left}) {operator} ({right})")),
            inner.prop_map(|inner| format!("NOT ({inner})")),
        ]
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        1 => Just(Filter::Everything),
        4 => pairs().prop_map(Filter::Exact),
        3 => pairs().prop_map(Filter::Prefix),
        3 => pairs().prop_map(Filter::Suffix),
        4 => expression().prop_map(Filter::Cesql),
        1 => pairs().prop_map(Filter::Attributes),
    ];
    leaf.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::All),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::Any),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
}

fn event() -> impl Strategy<Value = Event> {
    let value = prop_oneof![
        6 => text().prop_map(Owned::Text),
        1 => (-1..6).prop_map(Owned::Integer),
        1 => any::<bool>().prop_map(Owned::Boolean),
    ];
    prop::collection::vec(prop::option::weighted(0.8, value), NAMES.len()).prop_map(|values| {
        let present = NAMES.iter().zip(values).filter_map(|(name, value)| Some((*name, value?)));
        present.fold(Event::default(), |event, (name, value)| event.with(name, value))
    })
}

/// The contract, read word by word. `None` is "no filter".
fn naive(filter: &Filter, event: &Event) -> Option<bool> {
    let text = |name: &str| event.get(name).map(|value| value.to_string());
    let each = |list: &[(String, String)], test: fn(&str, &str) -> bool| {
        let skipped = list.is_empty() || list.iter().any(|(_, want)| want.is_empty());
        (!skipped).then(|| list.iter().all(|(name, want)| text(name).is_some_and(|have| test(&have, want))))
    };
    match filter {
        Filter::Everything => None,
        Filter::Attributes(list) => Some(list.iter().all(|(name, want)| match text(name) {
            _ if name == "time" && want.is_empty() => true,
            None => false,
            Some(have) if want.is_empty() => !have.is_empty(),
            Some(have) => have == *want,
        }))
        .filter(|_| list.iter().any(|(name, want)| !(name == "time" && want.is_empty()))),
        Filter::Exact(list) => each(list, |have, want| have == want),
        Filter::Prefix(list) => each(list, |have, want| have.starts_with(want)),
        Filter::Suffix(list) => each(list, |have, want| have.ends_with(want)),
        Filter::All(list) => list.iter().filter_map(|inner| naive(inner, event)).reduce(|a, b| a && b),
        Filter::Any(list) => list.iter().filter_map(|inner| naive(inner, event)).reduce(|a, b| a || b),
        Filter::Not(inner) => naive(inner, event).map(|passed| !passed),
        Filter::Cesql(text) => Some(Expression::new(text).unwrap().evaluate(event, None).passes()),
    }
}

fn check(matcher: &Matcher, model: &BTreeMap<u32, Filter>, event: &Event) -> Result<usize, TestCaseError> {
    let mut out = vec![7];
    matcher.matches(event, &mut out);
    let expected: Vec<u32> = model
        .iter()
        .filter(|(_, filter)| naive(filter, event) != Some(false))
        .map(|(slot, _)| *slot)
        .collect();
    if let Some(slot) = out.iter().find(|slot| !expected.contains(slot)) {
        return Err(TestCaseError::fail(format!("{:?} passed {event:?}", model[slot])));
    }
    if let Some(slot) = expected.iter().find(|slot| !out.contains(slot)) {
        return Err(TestCaseError::fail(format!("{:?} kept {event:?} away", model[slot])));
    }
    prop_assert_eq!(out, expected);
    Ok(model.len())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(250) })]

    /// 250 cases of up to 40 triggers and 15 events: well above 50,000 pairs.
    #[test]
    fn the_matcher_agrees_with_the_contract(
        filters in prop::collection::vec(filter(), 20..40),
        events in prop::collection::vec(event(), 12..15),
    ) {
        let model: BTreeMap<u32, Filter> = (0..).map(|slot| slot * 3).zip(filters).collect();
        let mut matcher = Matcher::new();
        for (slot, filter) in &model {
            matcher.insert(*slot, filter).unwrap();
        }
        let mut pairs = 0;
        for event in &events {
            pairs += check(&matcher, &model, event)?;
        }
        prop_assert!(pairs >= 200, "250 cases have 50,000 pairs");
    }

    #[test]
    fn the_matcher_agrees_while_triggers_come_and_go(
        steps in prop::collection::vec((0..12u32, prop::option::weighted(0.7, filter()), event()), 1..60),
    ) {
        let (mut matcher, mut model) = (Matcher::new(), BTreeMap::new());
        for (slot, filter, event) in steps {
            match filter {
                Some(filter) => {
                    matcher.insert(slot, &filter).unwrap();
                    model.insert(slot, filter);
                }
                None => {
                    matcher.remove(slot);
                    model.remove(&slot);
                }
            }
            check(&matcher, &model, &event)?;
            prop_assert_eq!(matcher.len(), model.len());
        }
        let copy = matcher.clone();
        model.keys().for_each(|slot| matcher.remove(*slot));
        check(&matcher, &BTreeMap::new(), &Event::default())?;
        check(&copy, &model, &Event::default())?;
    }

    #[test]
    fn an_explanation_agrees_and_names_a_reason(filter in filter(), event in event()) {
        let explanation = explain(&filter, &event, None).unwrap();
        let expected = match naive(&filter, &event) {
            None => Verdict::NoFilter,
            Some(true) => Verdict::Pass,
            Some(false) => Verdict::Fail,
        };
        prop_assert_eq!(explanation.verdict, expected);
        prop_assert_eq!(explanation.stops.is_empty(), expected != Verdict::Fail, "{:?}", explanation.stops);
    }

    #[test]
    fn a_matcher_asks_for_each_attribute_once(
        filters in prop::collection::vec(filter(), 1..30),
        event in event(),
    ) {
        let mut matcher = Matcher::new();
        for (slot, filter) in (0..).zip(&filters) {
            matcher.insert(slot, filter).unwrap();
        }
        matcher.matches(&event, &mut Vec::new());
        let mut asked = event.asked();
        asked.sort();
        let count = asked.len();
        asked.dedup();
        prop_assert_eq!(asked.len(), count);
    }
}
