//! `KN_VERIFY_CORRELATION_ID` with a holder of keys.

mod common;

use common::{Event, cesql, not};
use eagre_filter::Matcher;
use eagre_filter::cesql::{CorrelationKeys, ErrorKind, NoKeys, evaluate};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Opens what is sealed by writing the id backwards.
struct Mirror;

impl CorrelationKeys for Mirror {
    fn opens(&self, secret: &str, prefix: &str, sealed: &[u8], id: &[u8]) -> Result<bool, NoKeys> {
        if (secret, prefix) != ("keys", "shop.quotes.") {
            return Err(NoKeys);
        }
        Ok(sealed.iter().rev().eq(id))
    }
}

fn call(secret: &str, pod: i32, replicas: i32) -> String {
    format!("KN_VERIFY_CORRELATION_ID(replyid, \"quotes\", \"shop\", \"{secret}\", {pod}, {replicas})")
}

fn reply(id: &str) -> Event {
    Event::default().with("replyid", id)
}

#[test]
fn a_reply_with_a_valid_seal_for_this_pod_passes() {
    for id in ["abc:Y2Jh:3", "abcd:ZGNiYQ==:3", "abcd:ZGNiYQ:3", "~~~:fn5-:1"] {
        assert!(evaluate(&call("keys", 1, 2), &reply(id), Some(&Mirror)).passes(), "{id}");
    }
}

#[test]
fn other_replies_are_not_ours_and_no_error() {
    for id in ["abc:Y2Jh:2", "abc:YWJj:3", "abc:Y2Jh", "abc:Y2Jh:3:4", "abc:Y2Jh:x", "abc:?:3", ":", ""] {
        let result = evaluate(&call("keys", 1, 2), &reply(id), Some(&Mirror));
        assert!(!result.passes() && result.error.is_none(), "{id}: {result:?}");
    }
}

#[test]
fn missing_keys_are_an_error() {
    let result = evaluate(&call("others", 1, 2), &reply("abc:Y2Jh:3"), Some(&Mirror));
    assert_eq!(result.error.unwrap().kind, ErrorKind::FunctionEvaluation);
    let result = evaluate(&call("keys", 1, 0), &reply("abc:Y2Jh:3"), Some(&Mirror));
    assert_eq!(result.error.unwrap().kind, ErrorKind::FunctionEvaluation);
}

#[test]
fn the_matcher_hands_its_keys_to_the_function() {
    let mut matcher = Matcher::new().with_keys(Arc::new(Mirror));
    matcher.insert(0, &cesql(&call("keys", 0, 2))).unwrap();
    matcher.insert(1, &cesql(&call("keys", 1, 2))).unwrap();
    matcher.insert(2, &cesql(&format!("NOT {}", call("others", 1, 2)))).unwrap();
    matcher.insert(3, &not(cesql(&call("keys", 1, 2)))).unwrap();
    let mut out = Vec::new();
    matcher.matches(&reply("abc:Y2Jh:3"), &mut out);
    assert_eq!(out, [1]);
}

/// Counts how often it is asked, and agrees to everything.
#[derive(Default)]
struct Counting(AtomicUsize);

impl CorrelationKeys for Counting {
    fn opens(&self, _: &str, _: &str, _: &[u8], _: &[u8]) -> Result<bool, NoKeys> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    }
}

#[test]
fn a_condition_that_triggers_share_is_evaluated_once_an_event() {
    let keys = Arc::new(Counting::default());
    let mut matcher = Matcher::new().with_keys(Arc::clone(&keys) as Arc<dyn CorrelationKeys>);
    let shared = call("keys", 1, 2);
    matcher.insert(0, &cesql(&shared)).unwrap();
    matcher.insert(1, &cesql(&shared)).unwrap();
    matcher.insert(2, &not(cesql(&shared))).unwrap();
    matcher.insert(3, &cesql(&format!("{shared} AND EXISTS replyid"))).unwrap();
    matcher.insert(4, &cesql(&format!("replyid LIKE 'abc%' AND {shared}"))).unwrap();
    let mut out = Vec::new();
    matcher.matches(&reply("abc:Y2Jh:3"), &mut out);
    assert_eq!(out, [0, 1, 3, 4]);
    assert_eq!(keys.0.load(Ordering::Relaxed), 1);
}
