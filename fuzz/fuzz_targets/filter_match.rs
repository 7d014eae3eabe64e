//! The index over many filters lets through exactly the events that the
//! step-by-step reading of each filter lets through, whatever was inserted,
//! replaced and removed before.
#![no_main]

use std::collections::BTreeMap;

use eagre_filter::{Filter, Matcher, Verdict, explain, validate, warnings};
use eagre_fuzz::{Event, Input, NAMES, TEXTS, utf8};
use libfuzzer_sys::fuzz_target;

const DEPTH_MAX: usize = 8;
const STEPS_MAX: usize = 16;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let events = [Event::read(&mut input), Event::read(&mut input)];
    let (mut matcher, mut filters) = (Matcher::new(), BTreeMap::new());
    for _ in 0..STEPS_MAX {
        let slot = u32::from(input.byte() % 8);
        if input.byte() % 8 == 7 {
            matcher.remove(slot);
            filters.remove(&slot);
        } else {
            let filter = filter(&mut input, 0);
            warnings(&filter);
            let is_valid = validate(&filter).is_ok();
            assert_eq!(matcher.insert(slot, &filter).is_ok(), is_valid);
            if is_valid {
                filters.insert(slot, filter);
            }
        }
        if input.is_empty() {
            break;
        }
    }
    assert_eq!(matcher.len(), filters.len());
    let mut matched = Vec::new();
    for event in &events {
        matcher.matches(event, &mut matched);
        let passes = |filter: &Filter| {
            let explained = explain(filter, event, None).expect("it is valid");
            assert_eq!(explained.verdict == Verdict::Fail, !explained.stops.is_empty());
            explained.verdict != Verdict::Fail
        };
        let expected: Vec<u32> =
            filters.iter().filter(|(_, filter)| passes(filter)).map(|(slot, _)| *slot).collect();
        assert_eq!(matched, expected, "{filters:?}");
    }
});

fn filter(input: &mut Input<'_>, depth: usize) -> Filter {
    let kind = input.byte() % if depth == DEPTH_MAX { 7 } else { 12 };
    match kind {
        0 => Filter::Everything,
        1 => Filter::Attributes(pairs(input)),
        2 => Filter::Exact(pairs(input)),
        3 => Filter::Prefix(pairs(input)),
        4 => Filter::Suffix(pairs(input)),
        5 => Filter::Cesql(template(input)),
        6 => {
            let bytes = usize::from(input.byte());
            Filter::Cesql(utf8(input.bytes(bytes)).into())
        }
        7 | 8 => Filter::All(list(input, depth)),
        9 | 10 => Filter::Any(list(input, depth)),
        _ => Filter::Not(Box::new(filter(input, depth + 1))),
    }
}

fn list(input: &mut Input<'_>, depth: usize) -> Vec<Filter> {
    (0..input.byte() % 4).map(|_| filter(input, depth + 1)).collect()
}

fn pairs(input: &mut Input<'_>) -> Vec<(String, String)> {
    (0..input.byte() % 4).map(|_| (name(input).into(), text(input).into())).collect()
}

fn name<'a>(input: &mut Input<'a>) -> &'a str {
    match input.byte() % 16 {
        0 => input.text(),
        1 => "datamediatype",
        2 => "schemaurl",
        n => NAMES[usize::from(n) % NAMES.len()],
    }
}

fn text<'a>(input: &mut Input<'a>) -> &'a str {
    if input.byte().is_multiple_of(4) { input.text() } else { input.choose(&TEXTS) }
}

/// Expressions of the forms that the index treats apart from others.
fn template(input: &mut Input<'_>) -> String {
    let first = term(input);
    (0..input.byte() % 3).fold(first, |whole, _| {
        let operator = input.choose(&["AND", "OR", "XOR", "=", "!="]);
        format!("{whole} {operator} {}", term(input))
    })
}

fn term(input: &mut Input<'_>) -> String {
    let name = input.choose(&NAMES);
    let quoted = |text: &str| format!("'{}'", text.replace('\'', ""));
    match input.byte() % 12 {
        0 => format!("{name} = {}", quoted(text(input))),
        1 => format!("{} = {name}", quoted(text(input))),
        2 => format!("{name} != {}", quoted(text(input))),
        3 => format!("{name} LIKE {}", quoted(&format!("{}%", text(input)))),
        4 => format!("{name} LIKE {}", quoted(&format!("%{}", text(input)))),
        5 => format!("NOT ({name} LIKE {})", quoted(text(input))),
        6 => format!("{name} IN ({}, {}, 5)", quoted(text(input)), quoted(text(input))),
        7 => format!("{name} NOT IN ({}, TRUE)", quoted(text(input))),
        8 => format!("EXISTS {name}"),
        9 => format!("(NOT EXISTS {name} OR {name} = {})", quoted(text(input))),
        10 => format!("{name} < 6"),
        _ => name.into(),
    }
}
