//! The tables of contract 2.1, 2.2, 2.3 and 2.7, row by row, through the
//! matcher and through the explanation.

mod common;

use common::{Event, cesql, exact, not, pairs, prefix, suffix};
use eagre_filter::Filter::{All, Any, Attributes, Everything, Exact, Prefix, Suffix};
use eagre_filter::{Filter, Matcher, Verdict, explain, validate};

/// The event of contract 2.7.
fn order() -> Event {
    Event::default()
        .with("specversion", "1.0")
        .with("id", "1")
        .with("type", "com.ex.order.created")
        .with("source", "/shop/eu")
        .with("tier", "gold")
        .with("qty", 5)
}

#[track_caller]
fn judge(filter: &Filter, event: &Event) -> bool {
    let mut matcher = Matcher::new();
    matcher.insert(4, filter).unwrap();
    let mut out = Vec::new();
    matcher.matches(event, &mut out);
    let explanation = explain(filter, event, None).unwrap();
    assert_eq!(out == [4], explanation.verdict != Verdict::Fail, "{filter:?}: {explanation:?}");
    out == [4]
}

#[track_caller]
fn passes(filter: &Filter) {
    assert!(judge(filter, &order()), "{filter:?}");
}

#[track_caller]
fn fails(filter: &Filter) {
    assert!(!judge(filter, &order()), "{filter:?}");
}

fn legacy(list: &[(&str, &str)]) -> Filter {
    Attributes(pairs(list))
}

#[test]
fn a_trigger_without_conditions_gets_everything() {
    passes(&Everything);
    passes(&legacy(&[]));
    passes(&All(vec![]));
    passes(&Any(vec![]));
    passes(&All(vec![Everything]));
    passes(&All(vec![All(vec![])]));
    passes(&All(vec![Any(vec![])]));
}

#[test]
fn legacy_pairs_are_exact_and_case_sensitive() {
    passes(&legacy(&[("type", "com.ex.order.created")]));
    fails(&legacy(&[("type", "COM.EX.ORDER.CREATED")]));
    fails(&legacy(&[("type", "com.ex")]));
    passes(&legacy(&[("type", "com.ex.order.created"), ("source", "/shop/eu")]));
    fails(&legacy(&[("type", "com.ex.order.created"), ("source", "/shop/us")]));
    fails(&legacy(&[("region", "eu")]));
}

#[test]
fn a_legacy_pair_without_a_value_asks_for_presence() {
    passes(&legacy(&[("tier", "")]));
    passes(&legacy(&[("qty", "")]));
    fails(&legacy(&[("region", "")]));
    fails(&legacy(&[("subject", "")]));
    fails(&legacy(&[("tier", ""), ("region", "")]));
    assert!(!judge(&legacy(&[("region", "")]), &order().with("region", "")));
    assert!(judge(&legacy(&[("region", "")]), &order().with("region", "eu")));
}

#[test]
fn a_missing_time_counts_as_present_in_the_legacy_filter_only() {
    passes(&legacy(&[("time", "")]));
    passes(&legacy(&[("time", ""), ("tier", "gold")]));
    fails(&legacy(&[("time", ""), ("tier", "silver")]));
    fails(&legacy(&[("time", "2026-01-02T03:04:05Z")]));
    fails(&prefix("time", "2026"));
    fails(&cesql("EXISTS time"));
}

#[test]
fn typed_attributes_compare_as_their_canonical_strings() {
    let event = order().with("active", true).with("low", -12);
    for filter in [
        legacy(&[("qty", "5")]),
        exact("qty", "5"),
        prefix("low", "-1"),
        suffix("low", "12"),
        exact("active", "true"),
        prefix("active", "t"),
        legacy(&[("active", "true")]),
    ] {
        assert!(judge(&filter, &event), "{filter:?}");
    }
    for filter in [exact("qty", "05"), exact("active", "TRUE"), exact("active", "1"), exact("low", "12")] {
        assert!(!judge(&filter, &event), "{filter:?}");
    }
}

#[test]
fn names_of_earlier_versions_resolve() {
    let event =
        order().with("dataschema", "urn:x").with("datacontenttype", "application/json; charset=utf-8");
    assert!(judge(&legacy(&[("schemaurl", "urn:x")]), &event));
    assert!(judge(&legacy(&[("datamediatype", "application/json")]), &event));
    assert!(judge(&exact("datacontenttype", "application/json; charset=utf-8"), &event));
    fails(&legacy(&[("datamediatype", "")]));
    fails(&legacy(&[("datacontentencoding", "")]));
}

#[test]
fn exact_prefix_and_suffix_need_every_pair() {
    passes(&Exact(pairs(&[("type", "com.ex.order.created"), ("tier", "gold")])));
    fails(&Exact(pairs(&[("type", "com.ex.order.created"), ("tier", "silver")])));
    passes(&Prefix(pairs(&[("type", "com.ex."), ("source", "/shop")])));
    fails(&Prefix(pairs(&[("type", "com.ex."), ("source", "/store")])));
    passes(&Suffix(pairs(&[("type", ".created"), ("source", "/eu")])));
    fails(&Suffix(pairs(&[("type", ".deleted"), ("source", "/eu")])));
    passes(&prefix("type", "com.ex.order.created"));
    passes(&suffix("type", "com.ex.order.created"));
    fails(&prefix("type", "com.ex.order.created.v2"));
    fails(&suffix("type", "x.com.ex.order.created"));
    for missing in [exact("subject", "x"), prefix("subject", "x"), suffix("subject", "x")] {
        fails(&missing);
    }
}

#[test]
fn an_object_that_cannot_be_a_filter_is_skipped() {
    for skipped in [Exact(vec![]), Prefix(vec![]), Suffix(vec![]), cesql("")] {
        passes(&skipped);
        passes(&not(skipped.clone()));
        passes(&All(vec![skipped.clone(), exact("tier", "gold")]));
        fails(&All(vec![skipped.clone(), exact("tier", "silver")]));
        passes(&Any(vec![skipped.clone()]));
        fails(&Any(vec![skipped, exact("tier", "silver")]));
    }
    passes(&exact("type", ""));
    passes(&Exact(pairs(&[("type", "nope"), ("tier", "")])));
}

#[test]
fn lists_and_negation_combine() {
    let (yes, no) = (exact("tier", "gold"), exact("tier", "silver"));
    passes(&All(vec![yes.clone(), yes.clone()]));
    fails(&All(vec![yes.clone(), no.clone()]));
    passes(&Any(vec![no.clone(), yes.clone()]));
    fails(&Any(vec![no.clone(), no.clone()]));
    passes(&not(no.clone()));
    fails(&not(yes.clone()));
    passes(&not(not(yes.clone())));
    passes(&not(Everything));
    passes(&not(All(vec![])));
    passes(&not(Any(vec![no.clone(), All(vec![no.clone(), yes.clone()])])));
    fails(&All(vec![Any(vec![no.clone(), yes.clone()]), not(Any(vec![yes, no]))]));
}

#[test]
fn the_vectors_of_the_contract_hold() {
    fails(&All(vec![prefix("type", "com.ex."), suffix("type", ".deleted")]));
    passes(&All(vec![Any(vec![suffix("type", ".deleted"), exact("tier", "gold")])]));
    passes(&All(vec![not(exact("subject", "x"))]));
    fails(&All(vec![exact("type", "nope")]));
    passes(&All(vec![cesql("qty = 5 AND type LIKE 'com.ex.%'")]));
    fails(&All(vec![cesql("subject = 'x'")]));
    passes(&All(vec![cesql("NOT EXISTS subject")]));
    passes(&All(vec![cesql("EXISTS subject OR tier = 'gold'")]));
    fails(&All(vec![cesql("qty")]));
    for refused in [exact("Type", "x"), cesql("type ="), legacy(&[("my-ext", "x")])] {
        assert!(validate(&refused).is_err(), "{refused:?}");
        assert!(Matcher::new().insert(0, &refused).is_err());
    }
}

#[test]
fn an_expression_passes_only_if_it_is_true_without_an_error() {
    passes(&cesql("tier = 'gold'"));
    passes(&cesql("TRUE"));
    passes(&cesql("'true' AND qty"));
    for text in [
        "FALSE",
        "'true'",
        "1",
        "tier",
        "qty + 1",
        "NOT (subject = 'x')",
        "subject = '' OR TRUE",
        "tier != qty",
        "1 / 0 = 0",
        "NOSUCH()",
        "NOT NOSUCH()",
        "'gold' AND TRUE",
    ] {
        fails(&cesql(text));
    }
    // An error inside keeps `not` from seeing a pass, not from passing itself.
    passes(&not(cesql("subject = 'x'")));
}

#[test]
fn a_set_finds_typed_attributes_however_its_elements_are_written() {
    let event = order().with("active", true);
    for text in ["qty IN ('05')", "qty IN (5)", "active IN (1)", "active IN ('TRUE')", "qty IN (4, '+5')"] {
        assert!(judge(&cesql(text), &event), "{text}");
    }
}

#[test]
fn an_expression_groups_as_written_through_the_index_too() {
    fails(&cesql("tier = 'silver' AND tier = 'gold' OR qty = 5"));
    passes(&cesql("(tier = 'silver' AND tier = 'gold') OR qty = 5"));
}
