//! What compiling makes of each object: in force or not, and why not.
//!
//! File mode prints the remarks; in a cluster each outcome becomes conditions.

use std::borrow::Cow;

use eagre_snapshot::{BrokerSettings, Endpoint, Id};

use crate::manifest::{Diagnostic, Metadata};

/// Why something about an object is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whether it is so; else it may just not have been heard yet.
    pub certain: bool,
    /// For programs, in one word.
    pub reason: Cow<'static, str>,
    /// For people.
    pub remark: Box<Diagnostic>,
}

/// An address that a destination comes down to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// As the data plane takes it.
    pub endpoint: Endpoint,
    /// Certificates to trust there.
    pub ca_certs: Option<String>,
    /// Audience of a token for it.
    pub audience: Option<String>,
}

/// How an object stands with the data plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is in the snapshot as it is now; the value stands for all that matters of it
    /// ([`crate::stamp`]).
    Current(u64),
    /// It is in the snapshot as it was when it was last without an error.
    Former,
    /// It is not in the snapshot.
    Out,
}

/// What became of a broker of ours.
#[derive(Clone, Debug)]
pub struct BrokerOutcome<'i> {
    /// Which one.
    pub metadata: &'i Metadata,
    /// Its identity in the snapshot.
    pub id: Id,
    /// Whether it may be served at all.
    pub allowed: Result<(), Failure>,
    /// Its settings, from its spec and its ConfigMap.
    pub settings: Result<BrokerSettings, Failure>,
    /// Its dead letter sink, if it has one.
    pub sink: Option<Result<Target, Failure>>,
    /// How it stands with the data plane.
    pub standing: Standing,
}

/// What became of a trigger, unless its broker is of another class.
#[derive(Clone, Debug)]
pub struct TriggerOutcome<'i> {
    /// Which one.
    pub metadata: &'i Metadata,
    /// Its identity in the snapshot.
    pub id: Id,
    /// Its broker, one of ours.
    pub broker: Result<&'i Metadata, Failure>,
    /// Whether its spec can be read, and what it says be done.
    pub spec: Result<(), Failure>,
    /// What it waits for is ready.
    pub dependency: Result<(), Failure>,
    /// Its subscriber; `None` where it cannot be read.
    pub subscriber: Option<Result<Target, Failure>>,
    /// Its dead letter sink, or its broker's, if there is one.
    pub sink: Option<Result<Target, Failure>>,
    /// How it stands with the data plane.
    pub standing: Standing,
}

impl Failure {
    /// It is so.
    pub fn certain(reason: impl Into<Cow<'static, str>>, remark: Diagnostic) -> Failure {
        Failure { certain: true, reason: reason.into(), remark: Box::new(remark) }
    }

    /// It cannot be told yet.
    pub fn unknown(reason: impl Into<Cow<'static, str>>, remark: Diagnostic) -> Failure {
        Failure { certain: false, reason: reason.into(), remark: Box::new(remark) }
    }

    /// The remark in one sentence, with the hint that mends it.
    pub fn message(&self) -> String {
        let Diagnostic { message, hint, .. } = &*self.remark;
        if hint.is_empty() { message.clone() } else { format!("{message}; {hint}") }
    }
}
