//! Judging an event allocates nothing.

// A global allocator cannot be written without it; this one only counts.
#![allow(unsafe_code)]

use eagre_filter::cesql::Expression;
use eagre_filter::{Attributes, Filter, Matcher, Value};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator, which
// fulfils the contract. The counter is a thread-local without a destructor and
// with a constant initial value, so reaching it allocates nothing itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, hence from `System`, with
        // the same layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Order;

impl Attributes for Order {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        Some(match name {
            "id" => Value::String("1"),
            "type" => Value::String("com.example.order.created"),
            "source" => Value::String("/shop/eu"),
            "tier" => Value::String("gold"),
            "qty" => Value::Integer(5),
            "active" => Value::Boolean(true),
            _ => return None,
        })
    }
}

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn an_expression_of_comparisons_and_like_allocates_nothing() {
    for (text, passes) in [
        ("type LIKE 'com.%.created' AND tier = 'gold' AND qty > 3", true),
        ("(tier = 'silver' OR source LIKE '%eu') AND active = TRUE AND qty LIKE '_'", true),
        ("tier IN ('a', 'b', 'gold') AND NOT EXISTS subject AND LENGTH(LEFT(TRIM(type), 3)) = 3", true),
        ("qty + 1 = '6' AND LOWER(tier) = 'gold' AND subject = 'x'", false),
    ] {
        let expression = Expression::new(text).unwrap();
        let count = allocations(|| assert_eq!(expression.passes(&Order, None), passes, "{text}"));
        assert_eq!(count, 0, "{text}");
    }
}

#[test]
fn a_match_among_many_triggers_allocates_nothing() {
    let pair = |name: &str, text: String| vec![(name.to_owned(), text)];
    let mut matcher = Matcher::new();
    for slot in 0..1000u32 {
        let filter = match slot % 5 {
            0 => Filter::Exact(pair("type", format!("com.example.order.created{}", slot / 50))),
            1 => Filter::Prefix(pair("type", "com.example.order".into())),
            2 => Filter::Suffix(pair("source", "eu".into())),
            3 => Filter::Any(vec![
                Filter::Exact(pair("qty", "5".into())),
                Filter::Not(Box::new(Filter::Prefix(pair("tier", "g".into())))),
            ]),
            _ => Filter::Cesql(format!("tier = 'gold' AND qty > {} AND type LIKE '%order%'", slot % 7)),
        };
        matcher.insert(slot, &filter).unwrap();
    }
    let mut out = Vec::with_capacity(4000);
    let count = allocations(|| matcher.matches(&Order, &mut out));
    assert_eq!(count, 0);
    assert!(out.len() > 600);
}
