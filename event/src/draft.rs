//! One event on its way into the log.
//!
//! A draft owns the buffers of the record under construction. Both modes fill
//! them through the few methods at the end of this file, so that the rules
//! hold whatever the carrier was.

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use thiserror::Error;

use crate::error::{Error, Fault};
use crate::index::{ABSENT, ENTRY_BYTES, Entry, Index};
use crate::limits::{ATTRIBUTE_NAME_BYTES_MAX, ATTRIBUTES_MAX, HEADER_BLOCK_BYTES_MAX, PAYLOAD_BYTES_MAX};
use crate::mode::{Claim, Mode};
use crate::name::{ARRIVAL_TIME, Known, SpecVersion};
use crate::value::{Tag, Value};
use crate::{binary, pass_through, percent, record, structured, time};

/// Passes through a broker that are left to an event (contract section 1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// From a producer: one less than the event's own `knativebrokerttl`, but
    /// at most `max`; `max` if it has none or one that is no integer.
    FromEvent {
        /// What an event starts with; upstream's default is 255.
        max: u8,
    },
    /// A reply: one less than its parent has, whatever the reply says.
    FromParent(u8),
}

/// The event has passed through brokers too often: answer 400 (contract section 1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "knativebrokerttl is used up: the event has passed through too many brokers; look for a loop of replies"
)]
pub struct TtlExhausted;

/// Where the data of the event is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// A part of the body, as it arrived.
    Body(Range<usize>),
    /// Decoded into the draft's own buffer.
    Decoded,
}

/// One event under construction, reused for every event of a shard.
///
/// The order of calls is [`decode`](Draft::decode), [`stamp`](Draft::stamp),
/// [`record_parts`](Draft::record_parts); lookups in between.
#[derive(Debug)]
pub struct Draft {
    pub(crate) spec: SpecVersion,
    known: [u16; Known::COUNT],
    entries: Vec<[u8; ENTRY_BYTES]>,
    /// Header lines of the attributes first, then the pass-through fields.
    pub(crate) block: Vec<u8>,
    /// Canonical values that differ from their header's bytes.
    pub(crate) arena: Vec<u8>,
    /// Start of the arrival time in the block.
    arrival_at: usize,
    /// `knativebrokerttl` as it came, if it is an integer.
    pub(crate) ttl_received: Option<i32>,
    ttl: u8,
    pub(crate) payload: Payload,
    pub(crate) decoded: Vec<u8>,
    /// The first of the record's parts.
    head: Vec<u8>,
}

impl Default for Draft {
    fn default() -> Draft {
        Draft::new()
    }
}

impl Draft {
    /// An empty draft.
    pub fn new() -> Draft {
        Draft {
            spec: SpecVersion::V1,
            known: [ABSENT; Known::COUNT],
            entries: Vec::new(),
            block: Vec::new(),
            arena: Vec::new(),
            arrival_at: 0,
            ttl_received: None,
            ttl: 0,
            payload: Payload::Decoded,
            decoded: Vec::new(),
            head: Vec::new(),
        }
    }

    /// Takes one event from the headers and the whole body of a message.
    ///
    /// Structured iff the media type is `application/cloudevents+json`, else
    /// binary iff there is a `ce-specversion` (contract section 1.3). After an
    /// error the draft holds no event, and can be used again.
    pub fn decode<'h>(
        &mut self,
        headers: impl Iterator<Item = (&'h str, &'h [u8])> + Clone,
        body: &[u8],
    ) -> Result<(), Error> {
        let claim = Claim::of(headers.clone());
        match claim.mode {
            Some(Mode::Binary) => binary::decode(self, &claim, headers, body),
            Some(Mode::Structured) => structured::decode(self, headers, body),
            Some(Mode::Batch) => Err(Error::WrongMode { found: "a batch", expected: "one event" }),
            None => Err(Error::NotAnEvent),
        }
        .inspect_err(|_| self.clear())
    }

    /// The attribute of that lower-case name, as filters compare it.
    ///
    /// `knativebrokerttl` is no attribute here: subscribers do not see it
    /// (contract section 1.5).
    pub fn attribute(&self, name: &str) -> Option<Value<'_>> {
        self.index().get(name)
    }

    /// All attributes, in the order in which they will leave.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        self.index().iter()
    }

    /// Sets the arrival time and the passes that are left (contract section 1.5).
    pub fn stamp(&mut self, arrival: SystemTime, ttl: Ttl) -> Result<(), TtlExhausted> {
        let left = match (ttl, self.ttl_received) {
            (Ttl::FromEvent { max }, None) => max,
            (Ttl::FromEvent { max }, Some(received)) => {
                received.saturating_sub(1).clamp(0, i32::from(max)) as u8
            }
            (Ttl::FromParent(parent), _) => parent.saturating_sub(1),
        };
        if left == 0 {
            return Err(TtlExhausted);
        }
        self.ttl = left;
        self.block[self.arrival_at..][..time::RENDERED_BYTES].copy_from_slice(&time::render(arrival));
        Ok(())
    }

    /// The passes that are left, once stamped.
    pub fn ttl(&self) -> u8 {
        self.ttl
    }

    /// The data of the event. `body` is what [`decode`](Draft::decode) was
    /// given, or the slice that [`decode_batch`](crate::decode_batch) handed out.
    pub fn payload<'a>(&'a self, body: &'a [u8]) -> &'a [u8] {
        match &self.payload {
            Payload::Body(range) => &body[range.clone()],
            Payload::Decoded => &self.decoded,
        }
    }

    /// The bytes of the record, to be written one after another: fixed header
    /// with attribute index, header block, payload (not copied).
    ///
    /// The draft must have been stamped.
    pub fn record_parts<'a>(&'a mut self, body: &'a [u8]) -> [&'a [u8]; 3] {
        debug_assert_ne!(self.ttl, 0, "a record needs a stamped draft");
        let mut head = std::mem::take(&mut self.head);
        head.clear();
        record::write_head(
            &mut head,
            &record::Fixed {
                spec: self.spec,
                ttl: self.ttl,
                attributes: self.entries.len() as u16,
                arena_bytes: self.arena.len() as u32,
                block_bytes: self.block.len() as u32,
                payload_bytes: self.payload(body).len() as u32,
                known: self.known,
            },
        );
        head.extend_from_slice(self.entries.as_flattened());
        head.extend_from_slice(&self.arena);
        self.head = head;
        [&self.head, &self.block, self.payload(body)]
    }

    pub(crate) fn index(&self) -> Index<'_> {
        Index { known: self.known, entries: &self.entries, block: &self.block, arena: &self.arena }
    }
}

/// How the modes fill a draft: `begin`, attributes, `content_type`, `finish`.
impl Draft {
    fn clear(&mut self) {
        self.known = [ABSENT; Known::COUNT];
        self.entries.clear();
        self.block.clear();
        self.arena.clear();
        self.decoded.clear();
        self.ttl_received = None;
        self.ttl = 0;
        self.payload = Payload::Decoded;
    }

    /// Empties the draft and writes the two attributes that are the broker's.
    pub(crate) fn begin(&mut self, spec: SpecVersion) -> Result<(), Error> {
        self.clear();
        self.spec = spec;
        let name = self.open_line("specversion".as_bytes())?;
        let value_at = self.block.len();
        self.block.extend_from_slice(spec.as_str().as_bytes());
        self.close_line(name, Tag::String, value_at, None)?;
        let name = self.open_line(ARRIVAL_TIME.as_bytes())?;
        self.arrival_at = self.block.len();
        self.block.extend_from_slice(&time::render(UNIX_EPOCH));
        self.close_line(name, Tag::String, self.arrival_at, None)
    }

    /// Starts the line `ce-name: ` and returns where the name is. The name is
    /// checked here and turned into lower case.
    pub(crate) fn open_line(&mut self, name: &[u8]) -> Result<Range<usize>, Error> {
        if name.len() > ATTRIBUTE_NAME_BYTES_MAX {
            return Err(Error::Limit { what: "bytes of an attribute name", max: ATTRIBUTE_NAME_BYTES_MAX });
        }
        if name.is_empty() || !name.iter().all(u8::is_ascii_alphanumeric) {
            return Err(Error::attribute(name, Fault::Name));
        }
        self.block.extend_from_slice(b"ce-");
        let start = self.block.len();
        self.block.extend_from_slice(name);
        self.block[start..].make_ascii_lowercase();
        self.block.extend_from_slice(b": ");
        Ok(start..start + name.len())
    }

    /// Takes back the line that was opened with this name.
    pub(crate) fn drop_line(&mut self, name: &Range<usize>) {
        self.block.truncate(name.start - "ce-".len());
    }

    /// Ends an open line, whose value starts at `value_at`, and indexes the
    /// attribute. `canonical` is where its value is in the arena, if there.
    pub(crate) fn close_line(
        &mut self,
        name: Range<usize>,
        tag: Tag,
        value_at: usize,
        canonical: Option<Range<usize>>,
    ) -> Result<(), Error> {
        let in_arena = canonical.is_some();
        let value = canonical.unwrap_or(value_at..self.block.len());
        self.block.extend_from_slice(b"\r\n");
        let entry = Entry {
            name_at: name.start as u32,
            name_bytes: name.len() as u16,
            known: Known::of(&self.block[name]),
            tag,
            in_arena,
            value_at: value.start as u32,
            value_bytes: value.len() as u32,
        };
        self.push(entry)
    }

    /// Writes a JSON attribute: text is percent-encoded where a header asks for it.
    pub(crate) fn encoded_line(&mut self, name: Range<usize>, tag: Tag, text: &str) -> Result<(), Error> {
        let value_at = self.block.len();
        let canonical = percent::encode(text, &mut self.block).then(|| {
            let start = self.arena.len();
            self.arena.extend_from_slice(text.as_bytes());
            start..self.arena.len()
        });
        self.close_line(name, tag, value_at, canonical)
    }

    /// Writes the line `content-type: value`; `canonical` as in `close_line`.
    pub(crate) fn content_type(
        &mut self,
        value: &[u8],
        canonical: Option<Range<usize>>,
    ) -> Result<(), Error> {
        let at = self.block.len() + "content-type: ".len();
        self.implied_content_type(value);
        let in_arena = canonical.is_some();
        let range = canonical.unwrap_or(at..at + value.len());
        self.push(Entry {
            name_at: 0,
            name_bytes: 0,
            known: Some(Known::DataContentType),
            tag: Tag::String,
            in_arena,
            value_at: range.start as u32,
            value_bytes: range.len() as u32,
        })
    }

    /// A content type that the producer did not name: a header, no attribute.
    pub(crate) fn implied_content_type(&mut self, value: &[u8]) {
        self.block.extend_from_slice(b"content-type: ");
        self.block.extend_from_slice(value);
        self.block.extend_from_slice(b"\r\n");
    }

    fn push(&mut self, entry: Entry) -> Result<(), Error> {
        if self.entries.len() >= ATTRIBUTES_MAX {
            return Err(Error::Limit { what: "attributes", max: ATTRIBUTES_MAX });
        }
        self.check_block()?;
        if let Some(known) = entry.known {
            self.known[known as usize] = self.entries.len() as u16;
        }
        self.entries.push(entry.to_bytes());
        Ok(())
    }

    fn check_block(&self) -> Result<(), Error> {
        if self.block.len().max(self.arena.len()) > HEADER_BLOCK_BYTES_MAX {
            return Err(Error::Limit { what: "bytes of rendered headers", max: HEADER_BLOCK_BYTES_MAX });
        }
        Ok(())
    }

    /// Checks that nothing is missing and adds the pass-through fields.
    pub(crate) fn finish<'h>(
        &mut self,
        headers: impl Iterator<Item = (&'h str, &'h [u8])>,
        body: &[u8],
    ) -> Result<(), Error> {
        for required in [Known::Id, Known::Source, Known::Type] {
            if self.known[required as usize] == ABSENT {
                return Err(Error::attribute(required.name().as_bytes(), Fault::Missing));
            }
        }
        if self.payload(body).len() > PAYLOAD_BYTES_MAX {
            return Err(Error::Limit { what: "bytes of data", max: PAYLOAD_BYTES_MAX });
        }
        for (name, value) in headers.filter(|(name, _)| pass_through::is_carried(name)) {
            pass_through::render(name, value, &mut self.block)?;
        }
        self.check_block()
    }
}

/// What filters judge: the attributes as they will be stored.
impl eagre_filter::Attributes for Draft {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        self.attribute(name)
    }
}
