//! Nothing from outside makes a function recurse, allocate or run beyond its
//! bounds.

mod common;

use common::{Event, cesql, exact, not};
use eagre_filter::cesql::{ErrorKind, Expression, evaluate, parse};
use eagre_filter::limits::{
    EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, FILTER_DEPTH_MAX, FILTER_NODES_MAX, LIKE_WILDCARD_RUN_MAX,
    TEXT_BYTES_MAX,
};
use eagre_filter::{Filter, Matcher, explain, validate};

fn refused(text: &str) -> String {
    parse(text).expect_err("the expression is beyond a limit").message
}

#[test]
fn deep_nesting_is_refused_and_not_recursed_into() {
    let beyond = EXPRESSION_BYTES_MAX / 2 - 1;
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("NOT ", "1", ""),
        ("- ", "1", ""),
        ("ABS(", "1", ")"),
        ("1 IN (", "1", ")"),
        ("1=", "1", ""),
        ("1 AND ", "1", ""),
        ("", "1", " + 1"),
        ("", "1", " LIKE ''"),
        ("", "1", " IN (1)"),
        ("(1 + ", "1", ")"),
    ] {
        let count = (beyond / (open.len() + close.len()).max(2)).min(4000);
        let text = format!("{}{middle}{}", open.repeat(count), close.repeat(count));
        // Comparisons group from the left, all in one loop of the parser.
        assert!(refused(&text).contains("deep"), "{open}…{close}");
    }
}

#[test]
fn the_deepest_expression_that_parses_evaluates_folds_and_prints() {
    let event = Event::default().with("flag", true);
    for (open, close) in
        [("NOT ", ""), ("- ", ""), ("ABS(", ")"), ("flag AND ", ""), ("", " + flag"), ("CONCAT(flag, ", ")")]
    {
        let build = |count: usize| format!("{}flag{}", open.repeat(count), close.repeat(count));
        let deepest = (1..=EXPRESSION_DEPTH_MAX).rev().find(|count| parse(&build(*count)).is_ok()).unwrap();
        assert!(deepest > EXPRESSION_DEPTH_MAX / 2, "{open}…{close}: {deepest}");
        let text = build(deepest);
        assert_eq!(evaluate(&text, &event, None).error, None, "{text}");
        let tree = parse(&text).unwrap();
        assert_eq!(parse(&tree.to_string()), Ok(tree));
        Matcher::new().insert(0, &cesql(&text)).unwrap();
    }
}

#[test]
fn a_long_expression_is_refused() {
    let text = format!("'{}'", "x".repeat(EXPRESSION_BYTES_MAX));
    assert!(refused(&text).contains("bytes"));
    let set = vec!["'abcdef'"; 1000].join(", ");
    assert!(parse(&format!("type IN ({set})")).is_ok());
}

#[test]
fn deep_and_large_filters_are_refused() {
    let nested = |depth| (1..depth).fold(exact("type", "a"), |inner, _| not(inner));
    assert_eq!(validate(&nested(FILTER_DEPTH_MAX)), Ok(()));
    let problems = validate(&nested(FILTER_DEPTH_MAX + 1)).unwrap_err();
    assert!(problems[0].message.contains("deep"));
    assert!(explain(&nested(1000), &Event::default(), None).is_err());

    let wide = |count| Filter::Any(vec![exact("type", "a"); count]);
    assert_eq!(validate(&wide(FILTER_NODES_MAX - 1)), Ok(()));
    assert_eq!(validate(&wide(FILTER_NODES_MAX)).unwrap_err().len(), 1);
}

#[test]
fn strings_do_not_grow_without_bound() {
    let event = Event::default().with("big", "x".repeat(TEXT_BYTES_MAX / 2).as_str());
    let length = |text: &str| evaluate(text, &event, None);
    assert_eq!(length("LENGTH(CONCAT(big, big))").value.to_string(), TEXT_BYTES_MAX.to_string());
    let beyond = length("CONCAT(big, big, 'x')");
    assert_eq!(
        (beyond.value.to_string().as_str(), beyond.error.unwrap().kind),
        ("", ErrorKind::FunctionEvaluation)
    );
    let beyond = length("CONCAT_WS('x', big, big)");
    assert_eq!(beyond.error.unwrap().kind, ErrorKind::FunctionEvaluation);
    // Literals alone do not make the compiled program large either.
    assert!(length("LENGTH(CONCAT(CONCAT('abcdefgh', 'abcdefgh'), 'ü')) = 17").passes());
}

#[test]
fn like_does_not_blow_up() {
    let text = "a".repeat(60_000);
    let event = Event::default().with("x", text.as_str());
    for pattern in [
        format!("{}b", "%a".repeat(2000)),
        format!("{}%b", "%a_".repeat(2000)),
        format!("%{}b%", "a_".repeat(LIKE_WILDCARD_RUN_MAX / 2 - 1)),
        format!("%{}b%", "a".repeat(5000)),
    ] {
        let expression = Expression::new(&format!("x LIKE '{pattern}'")).unwrap();
        assert!(!expression.passes(&event, None));
    }
    let long = format!("x LIKE '%{}%'", "_".repeat(LIKE_WILDCARD_RUN_MAX + 1));
    assert!(refused(&long).contains("pattern"));
}

#[test]
fn more_attribute_names_than_fit_the_stack_still_match() {
    let mut matcher = Matcher::new();
    for slot in 0..500 {
        matcher.insert(slot, &exact(&format!("ext{slot}"), "x")).unwrap();
    }
    let mut out = Vec::new();
    matcher.matches(&Event::default().with("ext7", "x").with("ext499", "x").with("ext8", "y"), &mut out);
    assert_eq!(out, [7, 499]);
}

#[test]
fn more_shared_conditions_than_are_remembered_still_match() {
    let mut matcher = Matcher::new();
    for slot in 0..20_000u32 {
        let shared = cesql(&format!("qty > {}", slot % 10_000));
        matcher.insert(slot, &shared).unwrap();
    }
    let mut out = Vec::new();
    matcher.matches(&Event::default().with("qty", 3), &mut out);
    assert_eq!(out, [0, 1, 2, 10_000, 10_001, 10_002]);
    (5_000..20_000).for_each(|slot| matcher.remove(slot));
    matcher.matches(&Event::default().with("qty", 2), &mut out);
    assert_eq!(out, [0, 1]);
}

#[test]
fn a_matcher_may_be_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    shared(&Matcher::new());
}
