//! Rust values as fields of records.
//!
//! Promise: a field that is not there has the value of the record's `Default`,
//! and one with that value is not written; a field that is not known is passed
//! over; of a field that is there twice the last counts. So what a version
//! adds is invisible to the version before, and absent means as before.
//!
//! A *choice* that is not known (a retry curve, a filter's node) is an error,
//! unlike a field: there is no right way to go on without it.

use std::collections::BTreeMap;

use super::wire::{Field, Span, put_bytes, put_eight, put_number, put_record};
use super::{BodyError, BodyFlaw};
use crate::model::Id;

/// A type that a field can have.
pub(super) trait FieldValue {
    /// Appends it as field `number`.
    fn put(&self, number: u32, out: &mut Vec<u8>);
    /// Becomes the value of `field`, or gets one more if this is a list.
    fn set(&mut self, field: Field<'_>) -> Result<(), BodyError>;
}

/// A type that is a record; [`record!`](super::schema) implements it.
pub(super) trait Record: Default {
    /// How many of them a list may have.
    const LIST_MAX: usize = usize::MAX;
    /// Number and name of every field.
    #[cfg(test)]
    const FIELDS: &'static [(u32, &'static str)];
    /// Appends every field that is not at its default.
    fn put_fields(&self, out: &mut Vec<u8>);
    /// Takes a field; passes over one that is not known.
    fn take_field(&mut self, field: Field<'_>) -> Result<(), BodyError>;

    /// Reads a whole record.
    fn read(mut span: Span<'_>) -> Result<Self, BodyError> {
        let mut record = Self::default();
        while let Some(field) = span.field()? {
            record.take_field(field)?;
        }
        Ok(record)
    }
}

impl<R: Record> FieldValue for R {
    fn put(&self, number: u32, out: &mut Vec<u8>) {
        put_record(out, number, |out| self.put_fields(out));
    }

    fn set(&mut self, field: Field<'_>) -> Result<(), BodyError> {
        *self = R::read(field.record()?)?;
        Ok(())
    }
}

impl<R: Record> FieldValue for Vec<R> {
    fn put(&self, number: u32, out: &mut Vec<u8>) {
        self.iter().for_each(|record| record.put(number, out));
    }

    fn set(&mut self, field: Field<'_>) -> Result<(), BodyError> {
        // An empty record takes two bytes of the file and some hundred of memory.
        if self.len() == R::LIST_MAX {
            return Err(field.flaw(BodyFlaw::Count(R::LIST_MAX)));
        }
        self.push(R::read(field.record()?)?);
        Ok(())
    }
}

/// There is a difference between none and a default: the latter is written.
impl<T: FieldValue + Default> FieldValue for Option<T> {
    fn put(&self, number: u32, out: &mut Vec<u8>) {
        self.iter().for_each(|value| value.put(number, out));
    }

    fn set(&mut self, field: Field<'_>) -> Result<(), BodyError> {
        self.insert(T::default()).set(field)
    }
}

/// A list of records of key and value, as Protocol Buffers have it.
impl FieldValue for BTreeMap<String, String> {
    fn put(&self, number: u32, out: &mut Vec<u8>) {
        for (key, value) in self {
            put_record(out, number, |out| {
                put_bytes(out, 1, key.as_bytes());
                put_bytes(out, 2, value.as_bytes());
            });
        }
    }

    fn set(&mut self, field: Field<'_>) -> Result<(), BodyError> {
        let (key, value) = <(String, String)>::read(field.record()?)?;
        self.insert(key, value);
        Ok(())
    }
}

impl FieldValue for String {
    fn put(&self, number: u32, out: &mut Vec<u8>) {
        put_bytes(out, number, self.as_bytes());
    }

    fn set(&mut self, field: Field<'_>) -> Result<(), BodyError> {
        *self = field.text()?.to_owned();
        Ok(())
    }
}

impl FieldValue for Id {
    fn put(&self, number: u32, out: &mut Vec<u8>) {
        put_eight(out, number, self.0);
    }

    fn set(&mut self, field: Field<'_>) -> Result<(), BodyError> {
        *self = Id(field.eight()?);
        Ok(())
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl FieldValue for $type {
            fn put(&self, number: u32, out: &mut Vec<u8>) {
                put_number(out, number, u64::from(*self));
            }

            fn set(&mut self, field: Field<'_>) -> Result<(), BodyError> {
                *self = field.number(u64::from(<$type>::MAX))? as $type;
                Ok(())
            }
        }
    )*};
}

numbers!(u16, u32, u64);
