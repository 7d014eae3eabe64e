//! The binary path allocates nothing once a draft is warm.
#![allow(unsafe_code)] // a counting allocator cannot be written without

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use eagre_event::{Draft, Ttl};
use support::*;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system allocator unchanged, whose
// contract is the same; the counter is a thread-local without destructor, so
// that touching it neither allocates nor runs after its end.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` came from `System` with this layout, by the caller's contract.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: `at` came from `System` with this layout, by the caller's contract.
        unsafe { System.realloc(at, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_warm_draft_allocates_nothing_in_binary_mode() {
    let headers = with(&[
        ("host", "broker-ingress"),
        ("content-type", "application/json"),
        ("content-length", "1024"),
        ("ce-subject", "a%20subject"),
        ("ce-time", "2026-11-21T12:00:00.5Z"),
        ("ce-dataschema", "https://example.com/schema"),
        ("ce-partitionkey", "customer-17"),
        ("ce-tier", "\"gold\""),
        ("ce-knativebrokerttl", "17"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("x-request-id", "5a1f"),
    ]);
    assert_eq!(headers.len(), 15);
    let body = vec![b'x'; 1_024];
    let mut draft = Draft::new();
    let mut pass = || {
        let before = ALLOCATIONS.get();
        draft.decode(fields(&headers), &body).unwrap();
        assert!(draft.attribute("tier").is_some() && draft.attribute("type").is_some());
        draft.stamp(noon(), Ttl::FromEvent { max: 255 }).unwrap();
        let bytes: usize = draft.record_parts(&body).iter().map(|part| part.len()).sum();
        assert!(bytes > body.len());
        ALLOCATIONS.get() - before
    };
    assert!(pass() > 0, "the counter counts");
    assert_eq!((pass(), pass()), (0, 0));
}
