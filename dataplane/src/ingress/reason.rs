//! Why a request is not accepted, and what that is answered with.

use crate::{limits::ingress as limits, metrics::Refused, store::NoRoom};

/// Why a request is not accepted; each has one status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Reason {
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
    #[error("the requests that have arrived hold all the memory they may; try again in a moment")]
    BodiesFull,
    #[error(
        "the {events} events of this batch would take {bytes} bytes of the log, more than the {max} that one request \
         may: fields that pass through are stored with every event; send fewer events at once, or fewer such fields"
    )]
    BatchTooLarge { events: usize, bytes: usize, max: usize },
    #[error("this broker is stopping")]
    Draining,
    #[error("the request did not arrive in time")]
    Deadline,
    #[error("{reason}")]
    Http { status: u16, reason: String },
}

impl Reason {
    /// The status of contract 1.2 and design section 5.
    pub(super) const fn status(&self) -> u16 {
        match self {
            Self::NoBroker | Self::UnknownBroker(_) => 404,
            Self::Path | Self::ProbeWithoutHash | Self::TtlExhausted => 400,
            Self::Method => 405,
            Self::Deadline => 408,
            Self::TooLarge { .. } | Self::BatchTooLarge { .. } => 413,
            Self::OverQuota => NoRoom::OVER_QUOTA,
            Self::Full(_) => NoRoom::FULL,
            Self::BodiesFull | Self::Draining => 503,
            Self::BadEvent { status, .. } | Self::Http { status, .. } => *status,
        }
    }

    /// How it is counted.
    pub(super) const fn metric(&self) -> Refused {
        match self {
            Self::NoBroker | Self::Path | Self::UnknownBroker(_) => Refused::UnknownBroker,
            Self::Method => Refused::Method,
            Self::TooLarge { .. } | Self::BatchTooLarge { .. } => Refused::TooLarge,
            Self::BadEvent { .. } => Refused::InvalidEvent,
            Self::TtlExhausted => Refused::TtlExhausted,
            Self::Full(_) => Refused::Full,
            Self::BodiesFull => Refused::BodiesFull,
            Self::OverQuota => Refused::OverQuota,
            Self::Draining => Refused::Draining,
            Self::ProbeWithoutHash | Self::Deadline | Self::Http { .. } => Refused::Http,
        }
    }

    /// `Retry-After`, seconds.
    pub(super) const fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Full(_) | Self::OverQuota => Some(limits::RETRY_AFTER_FULL_SECONDS),
            Self::BodiesFull | Self::Draining => Some(limits::RETRY_AFTER_SOON_SECONDS),
            _ => None,
        }
    }
}
