//! The shape of `eagre.toml`: every key that exists, as it is written. Values are
//! only parsed here; [`super::check`] judges them.

use std::{fmt, marker::PhantomData, time::Duration};

use serde::{
    Deserialize,
    de::{self, Deserializer, Visitor},
};
use toml::Spanned;

use super::{Fsync, units};
use crate::driver::Requested;

/// A key that may be left out; where it is given, its place in the file is kept.
pub(super) type Key<T> = Option<Spanned<T>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub runtime: Runtime,
    pub wal: Wal,
    pub ingress: Ingress,
    pub delivery: Delivery,
    pub limits: Limits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Runtime {
    pub shards: Key<Size>,
    pub cpus: Key<Vec<usize>>,
    pub driver: Key<Requested>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wal {
    pub segment_bytes: Key<Size>,
    pub max_bytes: Key<Size>,
    pub fsync: Key<FsyncKey>,
    pub retain_age: Key<Time>,
    pub retain_bytes: Key<Size>,
    pub backlog_bytes_max: Key<Size>,
    pub backlog_bytes_max_per_broker: Key<Size>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Ingress {
    pub head_bytes_max: Key<Size>,
    pub headers_max: Key<Size>,
    pub body_bytes_max: Key<Size>,
    pub bodies_bytes_max: Key<Size>,
    pub header_deadline: Key<Time>,
    pub body_deadline: Key<Time>,
    pub body_rate_min: Key<Size>,
    pub idle_keep_alive: Key<Time>,
    pub write_stall: Key<Time>,
    pub connections_max: Key<Size>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Delivery {
    pub parallelism: Key<Size>,
    pub max_connections: Key<Size>,
    pub connect_timeout: Key<Time>,
    pub timeout: Key<Time>,
    pub response_body_bytes_max: Key<Size>,
    pub retry_after_max: Key<Time>,
    pub idle_connection: Key<Time>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub queue_per_trigger: Key<Size>,
    pub pending_per_trigger: Key<Size>,
    pub pending_batch_bytes: Key<Size>,
    pub cursor_flush_interval: Key<Time>,
    pub drain_deadline: Key<Time>,
    pub descriptors_reserved: Key<Size>,
}

/// A count or a number of bytes: an integer, or text with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub u64);

/// A duration: text with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time(pub Duration);

/// `"always"`, `"never"` or `{ interval_ms = N }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FsyncKey(pub Fsync);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Wanted;
        impl Visitor<'_> for Wanted {
            type Value = Size;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a whole number, or text such as \"64MiB\"")
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Size, E> {
                u64::try_from(value).map(Size).map_err(|_| E::custom(format!("{value} is negative")))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Size, E> {
                Ok(Size(value))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
                units::bytes(text).map(Size).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Wanted)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Wanted;
        impl Visitor<'_> for Wanted {
            type Value = Time;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a duration in quotes, such as \"10s\" or \"500ms\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
                units::duration(text).map(Time).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Wanted)
    }
}

impl<'de> Deserialize<'de> for FsyncKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Wanted<'de>(PhantomData<&'de ()>);
        impl<'de> Visitor<'de> for Wanted<'de> {
            type Value = FsyncKey;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("\"always\", \"never\" or { interval_ms = N }")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<FsyncKey, E> {
                match text {
                    "always" => Ok(FsyncKey(Fsync::Always)),
                    "never" => Ok(FsyncKey(Fsync::Never)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<FsyncKey, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Interval {
                    interval_ms: u64,
                }
                let Interval { interval_ms } =
                    Interval::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(FsyncKey(Fsync::Interval(Duration::from_millis(interval_ms))))
            }
        }
        deserializer.deserialize_any(Wanted(PhantomData))
    }
}
