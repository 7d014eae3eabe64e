//! Answers to producers. The only place that writes a 202.

use std::{
    cell::{Cell, RefCell},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::metrics::Refused;

/// Why a request is not accepted; each has one status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Reason {
    #[error("events are posted to /{{namespace}}/{{broker}}; / is no broker")]
    NoBroker,
    #[error("events are posted to /{{namespace}}/{{broker}}, exactly two parts")]
    Path,
    #[error("only POST and OPTIONS are answered here")]
    Method,
    #[error("a K-Network-Probe needs a K-Network-Hash")]
    ProbeWithoutHash,
    #[error("the event is longer than this broker takes: the limit is {limit} bytes")]
    TooLarge { limit: usize },
    #[error("{reason}")]
    BadEvent { status: u16, reason: String },
    #[error("there is no broker {0} here; see /v1/brokers on the admin port")]
    UnknownBroker(String),
    #[error("knativebrokerttl is used up: the event has passed too many brokers or triggers")]
    TtlExhausted,
    #[error("the log has no room: {0}")]
    Full(String),
    #[error(
        "triggers of this broker are too far behind: what they still need fills its backlog; see \
         /v1/triggers on the admin port for which, mend their subscribers or raise eagre.backlog.max-bytes"
    )]
    OverQuota,
    #[error("this broker is stopping")]
    Draining,
    #[error("the request did not arrive in time")]
    Deadline,
    #[error("{reason}")]
    Http { status: u16, reason: String },
}

impl Reason {
    /// The status of contract 1.2 and design section 5.
    pub(crate) const fn status(&self) -> u16 {
        match self {
            Self::NoBroker | Self::UnknownBroker(_) => 404,
            Self::Path | Self::ProbeWithoutHash | Self::TtlExhausted => 400,
            Self::Method => 405,
            Self::Deadline => 408,
            Self::TooLarge { .. } => 413,
            Self::OverQuota => 429,
            Self::Full(_) | Self::Draining => 503,
            Self::BadEvent { status, .. } | Self::Http { status, .. } => *status,
        }
    }

    /// How it is counted.
    pub(crate) const fn metric(&self) -> Refused {
        match self {
            Self::NoBroker | Self::Path | Self::UnknownBroker(_) => Refused::UnknownBroker,
            Self::Method => Refused::Method,
            Self::TooLarge { .. } => Refused::TooLarge,
            Self::BadEvent { .. } => Refused::InvalidEvent,
            Self::TtlExhausted => Refused::TtlExhausted,
            Self::Full(_) => Refused::Full,
            Self::OverQuota => Refused::OverQuota,
            Self::Draining => Refused::Draining,
            Self::ProbeWithoutHash | Self::Deadline | Self::Http { .. } => Refused::Http,
        }
    }

    const fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Full(_) | Self::OverQuota => Some(crate::limits::ingress::RETRY_AFTER_FULL_SECONDS),
            Self::Draining => Some(crate::limits::ingress::RETRY_AFTER_DRAINING_SECONDS),
            _ => None,
        }
    }
}

/// Writes answers; keeps the `Date` field of the current second.
#[derive(Default)]
pub(crate) struct Answers {
    second: Cell<u64>,
    date: RefCell<String>,
}

impl Answers {
    /// The event is stored. Called when the log's durable position has passed
    /// it, and never before.
    pub(crate) fn accepted(&self, out: &mut Vec<u8>, close: bool) {
        self.write(out, 202, [], b"", close);
    }

    /// A refusal, with its reason as text.
    pub(crate) fn refused(&self, out: &mut Vec<u8>, reason: &Reason, close: bool) {
        // A HEAD is among the methods that are refused, and its answer has no
        // body.
        let text = if *reason == Reason::Method { String::new() } else { format!("{reason}\n") };
        let text_type = ("content-type", b"text/plain; charset=utf-8".as_slice());
        let seconds = reason.retry_after().map(|seconds| seconds.to_string());
        let retry_after = seconds.as_ref().map(|seconds| ("retry-after", seconds.as_bytes()));
        self.write(out, reason.status(), [Some(text_type), retry_after], text.as_bytes(), close);
    }

    /// Contract 1.7: the webhook handshake is granted to everyone.
    pub(crate) fn options(&self, out: &mut Vec<u8>, close: bool) {
        let granted =
            [Some(("webhook-allowed-origin", b"*".as_slice())), Some(("webhook-allowed-rate", b"*"))];
        self.write(out, 200, granted, b"", close);
    }

    /// Contract 1.9: a probe of the platform.
    pub(crate) fn probed(&self, out: &mut Vec<u8>, hash: Option<&[u8]>, close: bool) {
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
        let now = SystemTime::now();
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
