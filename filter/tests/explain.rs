//! Reasons: which condition stopped an event, and what the event had instead.

mod common;

use common::{Event, cesql, exact, not, pairs, prefix};
use eagre_filter::Filter::{All, Any, Attributes, Everything};
use eagre_filter::{Filter, Stop, Verdict, explain};

fn event() -> Event {
    Event::default().with("type", "order.created").with("tier", "gold").with("qty", 5)
}

fn stops(filter: &Filter) -> Vec<Stop> {
    let explanation = explain(filter, &event(), None).unwrap();
    assert_eq!(explanation.verdict, Verdict::Fail);
    explanation.stops
}

fn stop(path: &str, text: &str, actual: &str) -> Stop {
    Stop { path: path.into(), text: text.into(), actual: actual.into() }
}

#[test]
fn a_passing_event_has_no_stops() {
    let explanation = explain(&exact("tier", "gold"), &event(), None).unwrap();
    assert_eq!((explanation.verdict, explanation.stops.len()), (Verdict::Pass, 0));
    assert_eq!(explain(&Everything, &event(), None).unwrap().verdict, Verdict::NoFilter);
}

#[test]
fn a_failing_pair_is_named_with_the_actual_value() {
    let filter = All(vec![exact("tier", "gold"), prefix("type", "bill.")]);
    assert_eq!(
        stops(&filter),
        [stop("filters[1].prefix.type", "type starts with \"bill.\"", "\"order.created\"")]
    );
    let legacy = Attributes(pairs(&[("tier", "gold"), ("region", ""), ("qty", "6")]));
    assert_eq!(
        stops(&legacy),
        [
            stop("filter.attributes.region", "region is set and not empty", "not set"),
            stop("filter.attributes.qty", "qty is \"6\"", "\"5\""),
        ]
    );
}

#[test]
fn of_any_every_branch_is_named() {
    let filter = All(vec![Any(vec![exact("tier", "silver"), not(exact("tier", "gold"))])]);
    assert_eq!(
        stops(&filter),
        [
            stop("filters[0].any[0].exact.tier", "tier is \"silver\"", "\"gold\""),
            stop("filters[0].any[1].not", "the filter inside does not pass", "it passes"),
        ]
    );
}

#[test]
fn of_an_expression_the_failing_operand_of_and_is_named() {
    assert_eq!(
        stops(&All(vec![cesql("tier = 'gold' AND qty > 5 AND type LIKE 'x%'")])),
        [stop("filters[0].cesql", "qty > 5", "the result is false; qty = 5")]
    );
    assert_eq!(
        stops(&cesql("tier = 'gold' AND subject = 'x'")),
        [stop(
            "filters[0].cesql",
            "subject = 'x'",
            "missingAttribute: the event has no attribute `subject`; subject = not set"
        )]
    );
    assert_eq!(stops(&cesql("qty")), [stop("filters[0].cesql", "qty", "the result is 5; qty = 5")]);
}

#[test]
fn an_invalid_filter_is_refused() {
    assert_eq!(explain(&cesql("("), &event(), None).unwrap_err()[0].path, "filters[0].cesql");
}
