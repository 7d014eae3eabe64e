//! What there is to see: from a method and a target to a page. Pure but for the state it
//! is given.

use std::{fmt::Write, sync::Arc, time::Duration};

use serde::Serialize;

use crate::{
    limits::admin as limits,
    metrics::{self, ShardMetrics, TriggerRow},
};

/// Where the pages take what they show from. Called on the admin threads, for each
/// request anew; must not block on a shard.
pub trait AdminState: Send + Sync + 'static {
    /// How long ago each shard last showed that it runs.
    fn heartbeat_ages(&self) -> Vec<Duration>;

    /// Whether events are taken: a snapshot is applied on every shard, and nothing drains.
    ///
    /// # Errors
    /// What is missing, in a sentence.
    fn ready(&self) -> Result<(), String>;

    /// The numbers of every shard.
    fn shards(&self) -> Vec<Arc<ShardMetrics>>;

    /// Every broker.
    fn brokers(&self) -> Vec<BrokerRow>;

    /// Every trigger.
    fn triggers(&self) -> Vec<TriggerRow>;

    /// What `dataplane.json` holds.
    fn info(&self) -> serde_json::Value;
}

/// What is known of one broker, as `/v1/brokers` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BrokerRow {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The path events are posted to.
    pub path: String,
    /// Number of its triggers.
    pub triggers: u64,
    /// Bytes of events that only triggers which are far behind still need.
    pub backlog_bytes: u64,
    /// A shard has more of them than it may, and answers 429.
    pub over_quota: bool,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// The methods that are served, for `Allow`.
pub(super) const ALLOW: &str = "GET, HEAD";

impl Page {
    pub(super) fn text(status: u16, body: impl Into<String>) -> Page {
        let mut body = body.into();
        body.push('\n');
        Page { status, content_type: TEXT, body }
    }

    fn json(value: &impl Serialize) -> Page {
        match serde_json::to_string(value) {
            Ok(mut body) => {
                body.push('\n');
                Page { status: 200, content_type: JSON, body }
            }
            Err(error) => Page::text(500, error.to_string()),
        }
    }

    /// The page of `method` and `target` (RFC 9112 section 3.2, origin form).
    pub(super) fn of(method: &str, target: &str, state: &dyn AdminState) -> Page {
        if !matches!(method, "GET" | "HEAD") {
            return Page::text(405, format!("{method} is not served here, only {ALLOW}"));
        }
        match target.split('?').next().unwrap_or_default() {
            "/healthz" => health(&state.heartbeat_ages()),
            "/readyz" => match state.ready() {
                Ok(()) => Page::text(200, "ok"),
                Err(reason) => Page::text(503, reason),
            },
            "/metrics" => {
                let mut body = String::new();
                metrics::render(&state.shards(), &state.triggers(), &mut body);
                Page { status: 200, content_type: metrics::CONTENT_TYPE, body }
            }
            "/v1/brokers" => Page::json(&state.brokers()),
            "/v1/triggers" => Page::json(&state.triggers()),
            "/v1/info" => Page::json(&state.info()),
            path => not_found(path),
        }
    }
}

/// The process lives, or it would not answer; so the shards decide.
fn health(ages: &[Duration]) -> Page {
    let stuck = ages.iter().enumerate().filter(|(_, age)| **age >= limits::HEARTBEAT_AGE_MAX);
    let mut body = String::new();
    for (shard, age) in stuck {
        let separator = if body.is_empty() { "" } else { "\n" };
        let _ = write!(body, "{separator}shard {shard} has not shown itself for {} s", age.as_secs());
    }
    if body.is_empty() { Page::text(200, "ok") } else { Page::text(503, body) }
}

fn not_found(path: &str) -> Page {
    let mut body = format!("there is no {path} here; there are:");
    for (path, what) in [
        ("/healthz", "200 while every shard runs"),
        ("/readyz", "200 while events are taken"),
        ("/metrics", "Prometheus text"),
        ("/v1/brokers", "brokers, JSON"),
        ("/v1/triggers", "triggers with position, lag and counts, JSON"),
        ("/v1/info", "version, addresses, shards, driver, JSON"),
    ] {
        let _ = write!(body, "\n  {path:<13} {what}");
    }
    Page::text(404, body)
}
