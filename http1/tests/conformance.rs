//! Every row of the table gets its verdict.

mod cases;

use std::collections::HashSet;

use cases::{LIMITS, all, judge, read};

#[test]
fn every_case_gets_its_verdict() {
    let mut wrong = Vec::new();
    for case in all() {
        let reading = read(case.kind, &[&case.bytes], &LIMITS);
        if !judge(&reading, &case.verdict) {
            let text = case.bytes.escape_ascii();
            wrong.push(format!(
                "{} ({}): wanted {:?}, got {reading:?}\n  {text}",
                case.id, case.section, case.verdict
            ));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_table_is_wide_and_its_ids_are_unique() {
    let cases = all();
    assert!(cases.len() >= 250, "{} cases", cases.len());
    let mut seen = HashSet::new();
    for case in &cases {
        assert!(seen.insert((case.id, format!("{:?}", case.kind))), "{} comes twice", case.id);
    }
}
