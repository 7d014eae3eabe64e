//! The wire format of Protocol Buffers, as far as a snapshot needs it.
//!
//! A record is a sequence of fields. A field is a key, which holds the field's
//! number and how long its value is, and the value. So a reader can pass over
//! a field that it has never heard of, which is all the growth needs.
//!
//! | type | value |
//! |---|---|
//! | 0 | a number: LEB128, at most ten bytes |
//! | 1 | eight bytes, little-endian |
//! | 2 | a length, as a number, and that many bytes |
//! | 5 | four bytes; never written, passed over when read |
//!
//! Total on any input; nothing here recurses or allocates.

use super::{BodyError, BodyFlaw};

const NUMBER: u64 = 0;
const EIGHT: u64 = 1;
const BYTES: u64 = 2;
const FOUR: u64 = 5;

/// Part of a file, and where in the file it begins.
#[derive(Clone, Copy)]
pub(super) struct Span<'a> {
    pub(super) at: usize,
    bytes: &'a [u8],
}

/// One field of a record.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    at: usize,
    value: Value<'a>,
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Eight(u64),
    Bytes(Span<'a>),
    Four,
}

impl<'a> Span<'a> {
    pub(super) fn new(at: usize, bytes: &'a [u8]) -> Self {
        Span { at, bytes }
    }

    /// Takes the next field off; `None` at the end.
    pub(super) fn field(&mut self) -> Result<Option<Field<'a>>, BodyError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let at = self.at;
        let key = self.number()?;
        let number = key >> 3;
        if number == 0 {
            return Err(BodyError::new(at, BodyFlaw::Key));
        }
        let value = match key & 7 {
            NUMBER => Value::Number(self.number()?),
            EIGHT => Value::Eight(u64::from_le_bytes(self.array()?)),
            BYTES => {
                let length = self.number()?;
                Value::Bytes(self.take(length)?)
            }
            FOUR => {
                self.take(4)?;
                Value::Four
            }
            _ => return Err(BodyError::new(at, BodyFlaw::Key)),
        };
        Ok(Some(Field { number, at, value }))
    }

    fn number(&mut self) -> Result<u64, BodyError> {
        let at = self.at;
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let [byte] = self.array()?;
            let part = u64::from(byte & 0x7f);
            if part << shift >> shift != part {
                break;
            }
            number |= part << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(BodyError::new(at, BodyFlaw::Number))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BodyError> {
        let taken = self.take(N as u64)?;
        Ok(std::array::from_fn(|i| taken.bytes[i]))
    }

    fn take(&mut self, length: u64) -> Result<Span<'a>, BodyError> {
        let parts = usize::try_from(length).ok().and_then(|length| self.bytes.split_at_checked(length));
        let (taken, rest) = parts.ok_or(BodyError::new(self.at, BodyFlaw::Cut))?;
        let span = Span { at: self.at, bytes: taken };
        *self = Span { at: self.at + taken.len(), bytes: rest };
        Ok(span)
    }
}

impl<'a> Field<'a> {
    /// The number in it, if that is at most `max`.
    pub(super) fn number(self, max: u64) -> Result<u64, BodyError> {
        match self.value {
            Value::Number(value) if value <= max => Ok(value),
            Value::Number(value) => Err(self.flaw(BodyFlaw::Range { value, max })),
            _ => Err(self.flaw(BodyFlaw::Type)),
        }
    }

    pub(super) fn eight(self) -> Result<u64, BodyError> {
        match self.value {
            Value::Eight(value) => Ok(value),
            _ => Err(self.flaw(BodyFlaw::Type)),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, BodyError> {
        let Span { at, bytes } = self.record()?;
        str::from_utf8(bytes).map_err(|error| BodyError::new(at + error.valid_up_to(), BodyFlaw::Utf8))
    }

    /// The bytes in it, to be taken apart further.
    pub(super) fn record(self) -> Result<Span<'a>, BodyError> {
        match self.value {
            Value::Bytes(span) => Ok(span),
            _ => Err(self.flaw(BodyFlaw::Type)),
        }
    }

    pub(super) fn flaw(self, flaw: BodyFlaw) -> BodyError {
        BodyError::new(self.at, flaw)
    }
}

pub(super) fn put_number(out: &mut Vec<u8>, number: u32, value: u64) {
    put_key(out, number, NUMBER);
    leb128(out, value);
}

pub(super) fn put_eight(out: &mut Vec<u8>, number: u32, value: u64) {
    put_key(out, number, EIGHT);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_key(out, number, BYTES);
    leb128(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A field with the record in it that `fill` appends.
pub(super) fn put_record(out: &mut Vec<u8>, number: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    put_key(out, number, BYTES);
    let start = out.len();
    fill(out);
    // The length takes as many bytes as it needs, so it can only be put in front afterwards.
    let end = out.len();
    leb128(out, (end - start) as u64);
    let length_bytes = out.len() - end;
    out[start..].rotate_right(length_bytes);
}

fn put_key(out: &mut Vec<u8>, number: u32, kind: u64) {
    leb128(out, u64::from(number) << 3 | kind);
}

fn leb128(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
