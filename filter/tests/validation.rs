//! What authors of filters are told, and where.

mod common;

use common::{cesql, exact, not, pairs, prefix};
use eagre_filter::Filter::{All, Any, Attributes, Exact, Suffix};
use eagre_filter::{Filter, Matcher, Problem, validate, warnings};

fn only(filter: &Filter) -> Problem {
    let mut problems = validate(filter).expect_err("the filter has a mistake");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(Matcher::new().insert(0, filter).unwrap_err(), problems[0]);
    problems.remove(0)
}

#[test]
fn a_problem_names_its_path() {
    let good = exact("type", "x");
    let bad = prefix("Type", "x");
    let list = All(vec![good.clone(), good.clone(), Any(vec![bad.clone(), good.clone()])]);
    assert_eq!(only(&list).path, "filters[2].any[0].prefix");
    assert_eq!(only(&All(vec![not(bad.clone())])).path, "filters[0].not.prefix");
    assert_eq!(only(&All(vec![All(vec![good, bad])])).path, "filters[0].all[1].prefix");
    assert_eq!(only(&Attributes(pairs(&[("my-ext", "x")]))).path, "filter.attributes");
    assert_eq!(only(&All(vec![cesql("type =")])).path, "filters[0].cesql");
    assert_eq!(only(&Suffix(pairs(&[("", "x")]))).path, "filters[0].suffix");
}

#[test]
fn every_mistake_is_reported_in_order() {
    let list = All(vec![exact("A", "x"), cesql("("), Exact(pairs(&[("b-", "x"), ("ok", "x"), ("1a", "x")]))]);
    let paths: Vec<String> = validate(&list).unwrap_err().into_iter().map(|problem| problem.path).collect();
    assert_eq!(paths, ["filters[0].exact", "filters[1].cesql", "filters[2].exact", "filters[2].exact"]);
}

#[test]
fn attribute_names_follow_the_webhook() {
    for good in ["a", "type", "abcdefghijklmnopqrst", "a1", "knativearrivaltime"] {
        assert_eq!(validate(&exact(good, "x")), Ok(()), "{good}");
    }
    for bad in [
        "SOURCE", "Source", "souRce", "s pace s", "s_pace_s", "s-pace-s", "123", "1a", "🙂", "?!", "a.b", "ä",
    ] {
        let problem = only(&exact(bad, "x"));
        assert!(problem.message.contains(bad) || !bad.is_ascii(), "{problem}");
        assert!(!problem.hint.is_empty());
    }
    assert_eq!(only(&exact("Source", "x")).hint, "attribute names are lower-case: source");
}

#[test]
fn an_expression_is_shown_with_a_caret() {
    let problem = only(&All(vec![cesql("type = 'a' AND 4-1")]));
    assert_eq!(problem.column, Some(17));
    assert_eq!(
        problem.message,
        "two operands without an operator between them\ntype = 'a' AND 4-1\n                ^"
    );
    assert_eq!(problem.hint, "a sign directly before digits belongs to the number: write `- 1`");
    assert_eq!(
        problem.to_string(),
        "filters[0].cesql, column 17: two operands without an operator between them\n\
         type = 'a' AND 4-1\n                ^\n\
         hint: a sign directly before digits belongs to the number: write `- 1`"
    );
}

#[test]
fn columns_count_characters_and_line_breaks_do_not_move_the_caret() {
    let problem = only(&cesql("tier = 'Grüße'\nAND ?"));
    assert_eq!(problem.column, Some(20));
    assert!(problem.message.ends_with("\ntier = 'Grüße' AND ?\n                   ^"), "{}", problem.message);
}

#[test]
fn of_a_long_expression_the_surroundings_are_shown() {
    let long = vec!["type = 'abcdefgh'"; 60].join(" OR ");
    let problem = only(&cesql(&format!("{long} = = {long}")));
    let lines: Vec<&str> = problem.message.lines().collect();
    assert!(lines[1].chars().count() <= 122 && lines[1].starts_with('…') && lines[1].ends_with('…'));
    assert_eq!(lines[1].chars().nth(lines[2].chars().count() - 1), Some('='));
}

#[test]
fn each_kind_of_mistake_has_its_own_words() {
    for (text, column, word) in [
        (" ", 1, "expected here"),
        ("type =", 7, "expected here"),
        ("type = 'abc", 8, "does not end"),
        ("type = $x", 8, "no meaning"),
        ("type LIKE x", 11, "quotes"),
        ("type IN ()", 10, "empty"),
        ("type IN 'a'", 9, "`(` is expected"),
        ("(type = 'a'", 12, "`)` is expected"),
        ("type = 'a' type", 12, "operator"),
        ("EXISTS 'a'", 8, "name of an attribute"),
        ("qty = 2147483648", 7, "32-bit"),
        ("AND x", 1, "operator"),
        ("a_b = 1", 1, "not an attribute"),
        ("_a = 1", 1, "begin"),
    ] {
        let problem = only(&cesql(text));
        assert_eq!(problem.column, Some(column), "{text}: {problem}");
        assert!(problem.message.contains(word), "{text}: {problem}");
    }
}

#[test]
fn what_upstream_accepts_and_hardly_means_is_a_warning() {
    for (filter, path, word) in [
        (Exact(vec![]), "filters[0].exact", "skipped"),
        (prefix("type", ""), "filters[0].prefix", "skipped"),
        (All(vec![cesql("")]), "filters[0].cesql", "skipped"),
        (All(vec![cesql("NOSUCH(1)")]), "filters[0].cesql", "no function NOSUCH with 1"),
        (cesql("TRUE AND LENGTH() IN (1)"), "filters[0].cesql", "no function LENGTH with 0"),
    ] {
        assert_eq!(validate(&filter), Ok(()));
        let all = warnings(&filter);
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0].path, path);
        assert!(all[0].message.contains(word), "{}", all[0]);
    }
    assert_eq!(warnings(&exact("type", "x")), []);
}
