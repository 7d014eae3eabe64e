//! A directory of arbitrary segments: opening it never panics; a log that is
//! refused is left byte for byte as it was; one that opens shows the same when
//! it is opened again, takes a record, and has it after another opening. Files
//! that are not the log's are never touched.
//!
//! Input: steps that build up to three segments of 16 KiB, frames with right
//! checksums among them, and then damage them.
#![no_main]

use std::{collections::BTreeMap, fs, path::Path};

use crc_fast::{CrcAlgorithm, checksum};
use eagre_fuzz::Input;
use eagre_wal::{Backend, Damage, Entry, FRAME_HEADER_BYTES, Fsync, Header, Kind, Log, Lsn, Options};
use libfuzzer_sys::fuzz_target;
use rustix::event::{PollFd, PollFlags, poll};

const SEGMENT_BYTES: usize = 16 * 1024;
const SEGMENTS_MAX: usize = 3;
const STEPS_MAX: usize = 48;
const SEAL_AT: usize = SEGMENT_BYTES - FRAME_HEADER_BYTES as usize - 32;
const EVENT: Kind = Kind(16);
/// A name of the log's own kind, one that looks like it, one that does not.
const STRANGERS: [&str; 3] = ["0000.segment", "0000000000004000.segment.bak", "notes.txt"];

fuzz_target!(|data: &[u8]| {
    let place = tempfile::tempdir().expect("a directory");
    let dir = place.path();
    for (base, bytes) in build(&mut Input(data)) {
        fs::write(dir.join(format!("{base:016x}.segment")), bytes).expect("a file");
    }
    STRANGERS.iter().for_each(|name| fs::write(dir.join(name), b"keep").expect("a file"));
    let before = files(dir);

    let Some(first) = look(dir) else {
        assert_eq!(files(dir), before, "a log that is refused is left as it is");
        return;
    };
    let after = files(dir);
    assert!(before.keys().all(|name| after.contains_key(name)), "opening deletes nothing");
    STRANGERS.iter().for_each(|name| assert_eq!(after[*name], before[*name]));
    let second = look(dir).expect("what opened once opens again");
    assert_eq!(second, first);

    let appended = append(dir);
    let third = look(dir).expect("it opens after an append");
    if let Some(lsn) = appended {
        assert!(third.records.iter().any(|record| matches!(record, Ok(entry) if entry.lsn == lsn)));
    }
    assert!(third.records.starts_with(&first.records));
    STRANGERS.iter().for_each(|name| assert_eq!(files(dir)[*name], before[*name]));
});

/// What a log shows.
#[derive(Debug, PartialEq)]
struct Shown {
    end: Lsn,
    count: u64,
    cursors: Vec<(u64, eagre_wal::Cursor)>,
    records: Vec<Result<Record, (Lsn, Lsn)>>,
}

#[derive(Debug, PartialEq)]
struct Record {
    lsn: Lsn,
    sequence: u64,
    body: Vec<u8>,
}

fn options() -> Options {
    Options {
        segment_bytes: SEGMENT_BYTES as u64,
        max_bytes: 8 * SEGMENT_BYTES as u64,
        pending_bytes_max: SEGMENT_BYTES as u64,
        backend: Backend::Thread,
        ..Options::default()
    }
}

/// Opens the log and looks at everything; `None` if it is refused.
fn look(dir: &Path) -> Option<Shown> {
    let (log, _) = match Log::open(dir, options()) {
        Ok(opened) => opened,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return None;
        }
    };
    let (mut at, mut records) = (Lsn::ZERO, Vec::new());
    loop {
        at = match log.read(at) {
            Ok(Some(Entry { lsn, next, sequence, body, .. })) => {
                assert!(at <= lsn && lsn < next && next <= log.end());
                records.push(Ok(Record { lsn, sequence, body: body.to_vec() }));
                next
            }
            Ok(None) => break,
            Err(Damage { from, to, .. }) => {
                assert!(to > at, "reading can go on behind damage");
                records.push(Err((from, to)));
                to
            }
        };
    }
    let cursors = log.cursors().iter().collect();
    Some(Shown { end: log.end(), count: log.records(), cursors, records })
}

/// Appends a record and waits until it is durable; `None` if there is no room.
fn append(dir: &Path) -> Option<Lsn> {
    let (mut log, _) = Log::open(dir, options()).expect("what opened once opens again");
    let lsn = log.append(EVENT, 9, Fsync::Always, &[b"appended"]).ok();
    log.submit().expect("the disk works");
    while !log.is_idle() {
        poll(&mut [PollFd::new(&log.event_fd(), PollFlags::IN)], None).expect("an event can be polled");
        log.poll().expect("the disk works");
    }
    assert!(lsn.is_none_or(|lsn| lsn < log.durable()));
    lsn
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries
        .map(|path| (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), path))
        .filter(|(name, _)| name != "lock")
        .map(|(name, path)| (name, fs::read(path).expect("a file")))
        .collect()
}

/// A segment under construction.
struct Segment {
    header: Header,
    bytes: Vec<u8>,
    at: usize,
}

impl Segment {
    fn new(header: Header) -> Self {
        let mut bytes = header.encode();
        let at = bytes.len();
        bytes.resize(SEGMENT_BYTES, 0);
        Self { header, bytes, at }
    }

    /// Writes a frame with a right checksum, if it fits.
    fn frame(&mut self, at: usize, kind: u8, flags: u8, durable: u64, sequence: u64, body: &[u8]) -> usize {
        let end = (at + FRAME_HEADER_BYTES as usize + body.len()).next_multiple_of(8);
        let Some(room) = self.bytes.get_mut(at..end) else { return at };
        room.fill(0);
        room[8..12].copy_from_slice(&(body.len() as u32).to_le_bytes());
        room[12..16].copy_from_slice(&self.header.generation.to_le_bytes());
        room[16..24].copy_from_slice(&(self.header.base.0 + at as u64).to_le_bytes());
        room[24..32].copy_from_slice(&durable.to_le_bytes());
        room[32..40].copy_from_slice(&sequence.to_le_bytes());
        room[48] = kind;
        room[49] = flags;
        room[FRAME_HEADER_BYTES as usize..][..body.len()].copy_from_slice(body);
        let crc = checksum(CrcAlgorithm::Crc64Nvme, &room[8..]);
        room[..8].copy_from_slice(&crc.to_le_bytes());
        end
    }
}

fn build(input: &mut Input<'_>) -> BTreeMap<u64, Vec<u8>> {
    let base = SEGMENT_BYTES as u64 * u64::from(input.byte() % 3);
    let first = Header { base: Lsn(base), segment_bytes: SEGMENT_BYTES as u64, generation: 7 };
    let mut segments = vec![Segment::new(first)];
    let mut sequence = 0;
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        let count = segments.len();
        let now = segments.last_mut().expect("there is always one");
        let here = now.header.base.0 + now.at as u64;
        match input.byte() % 12 {
            // The checkpoint that every segment begins with, without cursors.
            0 | 1 => now.at = now.frame(now.at, 1, 0, here, sequence, &[0; 8]),
            2..=4 => {
                let (flags, length) = (input.byte() % 8 / 7, input.byte());
                now.at =
                    now.frame(now.at, EVENT.0, flags, here, sequence, &vec![length; usize::from(length)]);
                sequence += 1;
            }
            // A frame of any kind, mark and body.
            5 | 6 => {
                let (kind, flags, lead, skip) = (input.byte() % 20, input.byte(), input.byte(), input.byte());
                let durable = (here + u64::from(lead)).saturating_sub(128);
                let length = usize::from(input.byte());
                let number = sequence + u64::from(skip / 250);
                now.at = now.frame(now.at, kind, flags, durable, number, input.bytes(length));
                sequence += u64::from(kind >= EVENT.0);
            }
            // A seal, at times of more than there is. Nothing is written behind it.
            7 => {
                let body = [(here + u64::from(input.byte() / 32)).to_le_bytes(), [0; 8], [0; 8], [0; 8]];
                now.frame(SEAL_AT, 3, 0, here, sequence, body.as_flattened());
                now.at = SEGMENT_BYTES;
            }
            8 if count < SEGMENTS_MAX => {
                let skip = u64::from(input.byte() / 250);
                let base = Lsn(now.header.end().0 + skip * SEGMENT_BYTES as u64);
                let generation = now.header.generation + 1 + u32::from(input.byte() / 250);
                segments.push(Segment::new(Header { base, generation, ..first }));
            }
            9 => now.at = (now.at + 8 * usize::from(input.byte())).min(SEGMENT_BYTES),
            10 => {
                let (at, length) = (input.number() % SEGMENT_BYTES, usize::from(input.byte()));
                let bytes = input.bytes(length.min(SEGMENT_BYTES - at));
                if let Some(room) = now.bytes.get_mut(at..at + bytes.len()) {
                    room.copy_from_slice(bytes);
                }
            }
            11 if input.byte() >= 250 => now.bytes.truncate(input.number()),
            _ => {}
        }
    }
    segments.into_iter().map(|segment| (segment.header.base.0, segment.bytes)).collect()
}
