//! Answers to producers. The only place that writes a 202.

use std::{
    cell::{Cell, RefCell},
    time::UNIX_EPOCH,
};

use super::reason::Reason;
use crate::runtime::time;

/// Writes answers; keeps the `Date` field of the current second.
#[derive(Default)]
pub(super) struct Answers {
    second: Cell<u64>,
    date: RefCell<String>,
}

impl Answers {
    /// The event is stored. Called when the log's durable position has passed
    /// it, and never before.
    pub(super) fn accepted(&self, out: &mut Vec<u8>, close: bool) {
        self.write(out, 202, [], b"", close);
    }

    /// A refusal, with its reason as text.
    pub(super) fn refused(&self, out: &mut Vec<u8>, reason: &Reason, close: bool) {
        // A HEAD is among the methods that are refused, and its answer has no
        // body.
        let text = if *reason == Reason::Method { String::new() } else { format!("{reason}\n") };
        let text_type = ("content-type", b"text/plain; charset=utf-8".as_slice());
        let seconds = reason.retry_after().map(|seconds| seconds.to_string());
        let retry_after = seconds.as_ref().map(|seconds| ("retry-after", seconds.as_bytes()));
        self.write(out, reason.status(), [Some(text_type), retry_after], text.as_bytes(), close);
    }

    /// Contract 1.7: the webhook handshake is granted to everyone.
    pub(super) fn options(&self, out: &mut Vec<u8>, close: bool) {
        let granted =
            [Some(("webhook-allowed-origin", b"*".as_slice())), Some(("webhook-allowed-rate", b"*"))];
        self.write(out, 200, granted, b"", close);
    }

    /// Contract 1.9: a probe of the platform.
    pub(super) fn probed(&self, out: &mut Vec<u8>, hash: Option<&[u8]>, close: bool) {
        self.write(out, 200, [hash.map(|hash| ("k-network-hash", hash))], b"", close);
    }

    fn write<const N: usize>(
        &self,
        out: &mut Vec<u8>,
        status: u16,
        fields: [Option<(&str, &[u8])>; N],
        body: &[u8],
        close: bool,
    ) {
        let now = time::calendar();
        let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if self.second.replace(second) != second {
            *self.date.borrow_mut() = httpdate::fmt_http_date(now);
        }
        let date = self.date.borrow();
        let common = [("allow", b"POST, OPTIONS".as_slice()), ("date", date.as_bytes())];
        let fields = common.into_iter().chain(fields.into_iter().flatten());
        // Values are ours or came through the codec's own check.
        eagre_http1::encode::response_head(out, status, fields, Some(body.len() as u64), !close)
            .expect("every field of an answer can be sent");
        out.extend_from_slice(body);
    }
}
