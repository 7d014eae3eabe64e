//! Which field of which record has which number.
//!
//! A number is never used for anything else, and a field's default never
//! changes. A new field is one line here, one of the model, one of
//! `docs/snapshot.md`, and a new minor version.

use super::record::{FieldValue, Record};
use super::wire::{Field, put_number};
use super::{BodyError, BodyFlaw};
use crate::limits::{BROKERS_MAX, TRIGGERS_MAX};
use crate::model::{Backoff, Broker, Delivery, Endpoint, Format, Snapshot, Trigger};
use crate::settings::{BrokerSettings, Fsync};

/// Implements [`Record`]: number and name of each field.
macro_rules! record {
    ($type:ty, $(at most $max:expr,)? { $($number:literal => $field:tt),* $(,)? }) => {
        impl Record for $type {
            $(const LIST_MAX: usize = $max;)?
            #[cfg(test)]
            const FIELDS: &'static [(u32, &'static str)] = &[$(($number, stringify!($field))),*];

            fn put_fields(&self, out: &mut Vec<u8>) {
                let default = Self::default();
                $(if self.$field != default.$field {
                    self.$field.put($number, out);
                })*
            }

            fn take_field(&mut self, field: Field<'_>) -> Result<(), BodyError> {
                match field.number {
                    $($number => self.$field.set(field).map_err(|error| error.within(stringify!($field))),)*
                    _ => Ok(()),
                }
            }
        }
    };
}

pub(super) use record;

record!(Snapshot, { 1 => brokers, 2 => triggers, 3 => grace_ms });

record!(Broker, at most BROKERS_MAX, { 1 => id, 2 => namespace, 3 => name, 4 => settings, 5 => annotations });

record!(BrokerSettings, { 1 => fsync, 2 => backlog_bytes_max });

record!(Trigger, at most TRIGGERS_MAX, {
    1 => id,
    2 => broker,
    3 => namespace,
    4 => name,
    5 => filter,
    6 => subscriber,
    7 => delivery,
    8 => dead_letter,
    9 => annotations,
});

record!(Endpoint, { 1 => uri, 2 => host, 3 => port, 4 => authority, 5 => target });

record!(Delivery, {
    1 => retry_max,
    2 => backoff,
    3 => backoff_delay_ms,
    4 => timeout_ms,
    5 => retry_after_max_ms,
    6 => format,
});

// Key and value of a map, attribute and value of a filter.
record!((String, String), { 1 => 0, 2 => 1 });

/// Implements [`FieldValue`] for an enumeration: the number of each choice.
macro_rules! choice {
    ($type:ty, { $($number:literal => $choice:path),* $(,)? }) => {
        impl FieldValue for $type {
            fn put(&self, number: u32, out: &mut Vec<u8>) {
                put_number(out, number, match self { $($choice => $number),* });
            }

            fn set(&mut self, field: Field<'_>) -> Result<(), BodyError> {
                *self = match field.number(u64::MAX)? {
                    $($number => $choice,)*
                    unknown => return Err(field.flaw(BodyFlaw::Choice(unknown))),
                };
                Ok(())
            }
        }
    };
}

choice!(Backoff, { 0 => Backoff::Linear, 1 => Backoff::Exponential });

choice!(Format, { 0 => Format::Binary, 1 => Format::Json });

/// [`Fsync`] as it is written.
#[derive(Default)]
struct FsyncRecord {
    mode: u64,
    ms: u64,
}

record!(FsyncRecord, { 1 => mode, 2 => ms });

impl FieldValue for Fsync {
    fn put(&self, number: u32, out: &mut Vec<u8>) {
        let (mode, ms) = match *self {
            Fsync::Always => (0, 0),
            Fsync::Interval { ms } => (1, ms),
            Fsync::Never => (2, 0),
        };
        FsyncRecord { mode, ms }.put(number, out);
    }

    fn set(&mut self, field: Field<'_>) -> Result<(), BodyError> {
        let FsyncRecord { mode, ms } = FsyncRecord::read(field.record()?)?;
        *self = match mode {
            0 => Fsync::Always,
            1 => Fsync::Interval { ms },
            2 => Fsync::Never,
            unknown => return Err(field.flaw(BodyFlaw::Choice(unknown)).within("mode")),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::filter::{FilterRecord, Node};
    use super::*;

    /// The schema in the documentation is what anybody else writes a reader from.
    #[test]
    fn the_documentation_lists_every_field_with_its_number() {
        let page = include_str!("../../../docs/snapshot.md");
        let records: [(&str, &[(u32, &str)]); 10] = [
            ("Snapshot", Snapshot::FIELDS),
            ("Broker", Broker::FIELDS),
            ("Settings", BrokerSettings::FIELDS),
            ("Fsync", FsyncRecord::FIELDS),
            ("Trigger", Trigger::FIELDS),
            ("Endpoint", Endpoint::FIELDS),
            ("Delivery", Delivery::FIELDS),
            ("Filter", FilterRecord::FIELDS),
            ("Node", Node::FIELDS),
            ("Pair", &[(1, "key"), (2, "value")]),
        ];
        for (name, fields) in records {
            let start = format!("\nmessage {name} {{");
            let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("message {name} is not there"));
            let (block, _) = rest.split_once("\n}").expect("a closing brace");
            let listed: Vec<_> = block
                .lines()
                .skip(1)
                .filter_map(|line| line.split("//").next()?.trim().strip_suffix(';'))
                .map(|field| {
                    let (declared, number) = field.split_once(" = ").expect("`type name = number;`");
                    (number.parse().expect("a number"), declared.rsplit(' ').next().expect("a name"))
                })
                .collect();
            assert_eq!(listed, fields, "message {name}");
        }
    }
}
