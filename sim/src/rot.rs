//! Bit rot: a disk that loses or changes what was durable. What the log shows
//! then is right, or it says which positions are not there.

use std::collections::BTreeMap;

use eagre_wal::{DamageKind, Fsync, Header, Kind, Log, Lsn, OpenError, Options, Recovery};

use crate::{
    coverage::{Branch, Coverage},
    disk::Disk,
    model::{ELSEWHERE, HEADER_BYTES, Model, Record, is_same},
    random::Random,
    trace::Trace,
};

/// Damaged images of each log.
const TRIALS: u64 = 6;
/// A name that is not the log's.
const STRANGER: &str = "notes.txt";
/// Bytes of the seal at the end of a full segment (docs/format.md).
const SEAL_BYTES: u64 = 88;
/// Where a frame tells the position below which everything was durable.
const MARK_OFFSET: usize = 24;

type Image = BTreeMap<Lsn, Vec<u8>>;

/// A damaged image, and the ranges of positions that were damaged.
struct Rotten {
    image: Image,
    ranges: Vec<(Lsn, Lsn)>,
}

/// Damages a log that was closed in several ways, and opens each.
pub(crate) fn rot(
    random: &mut Random,
    model: &Model,
    options: &Options,
    image: &Image,
    trace: &mut Trace,
    coverage: &mut Coverage,
) {
    // Room for all, so that nothing is released meanwhile.
    let options = &Options { max_bytes: u64::MAX / 2, ..options.clone() };
    let trial = Trial { model, options, whole: image };
    for _ in 0..TRIALS {
        let mut rotten = Rotten { image: image.clone(), ranges: Vec::new() };
        for _ in 0..1 + random.below(2) {
            rotten.damage(random, model);
        }
        if !rotten.image.is_empty() {
            trial.judge(&rotten, trace, coverage);
        }
    }
    if let Some(rotten) = stale(random, model, options, image) {
        coverage.hit(Branch::StaleFrames);
        let (log, recovery) = trial.open(&rotten.image).expect("frames of another log are none of this");
        assert!(recovery.truncated.is_some());
        assert_eq!(trial.read(&log), trial.records_from(&log), "records are lost to those of another log");
    }
}

impl Rotten {
    /// Damages something.
    fn damage(&mut self, random: &mut Random, model: &Model) {
        let bases: Vec<_> = self.image.keys().copied().collect();
        let Some(last) = bases.len().checked_sub(1) else { return };
        let base = bases[random.below(bases.len() as u64) as usize];
        let other = bases[random.below(bases.len() as u64) as usize];
        if self.image[&base].is_empty() {
            return;
        }
        match random.below(10) {
            0 | 1 => self.flip_in_record(random, model),
            2 => {
                let offset = random.below(self.image[&base].len() as u64) as usize;
                self.change(base, offset..offset + 1, |byte| byte ^ (1 << (offset % 8)));
            }
            3 | 4 => {
                let bytes = random.pick(&[512, 512, 4096, 100_000]);
                let len = self.image[&base].len();
                let offset = random.below(len as u64) as usize / 512 * 512;
                self.change(base, offset..len.min(offset + bytes), |_| 0);
            }
            5 => {
                let len = self.image[&base].len();
                self.image.get_mut(&base).expect("it is there").truncate(random.below(len as u64) as usize);
                self.ranges.push((base, base + len as u64));
            }
            6 => {
                let bytes = self.image[&other].clone();
                let beyond = Lsn(bases[last].0 + 4096 * (1 + random.below(8)));
                let to = if random.coin() { base } else { beyond };
                if to != other {
                    self.ranges.push((to, to + bytes.len() as u64));
                    self.image.insert(to, bytes);
                }
            }
            7 => {
                for _ in 0..1 + random.below(2) {
                    let missing = if random.coin() { base } else { bases[0] };
                    if let Some(bytes) = self.image.remove(&missing) {
                        self.ranges.push((missing, missing + bytes.len() as u64));
                    }
                }
            }
            8 => {
                // The file of another log, with the same name.
                let segment_bytes = self.image[&base].len() as u64;
                let header = Header { base, segment_bytes, generation: random.next() as u32 };
                let mut bytes = header.encode();
                bytes.resize(segment_bytes as usize, 0);
                self.ranges.push((base, base + segment_bytes));
                self.image.insert(base, bytes);
            }
            _ if base != other => {
                let (one, two) = (self.image[&base].clone(), self.image[&other].clone());
                self.ranges.push((base, base + one.len().max(two.len()) as u64));
                self.ranges.push((other, other + one.len().max(two.len()) as u64));
                self.image.insert(base, two);
                self.image.insert(other, one);
            }
            _ => {}
        }
    }

    /// Flips a bit of a record's head, where every bit means something.
    fn flip_in_record(&mut self, random: &mut Random, model: &Model) {
        let records = model.readable();
        if records.is_empty() {
            return;
        }
        let record = &records[random.below(records.len() as u64) as usize];
        let bit = random.below(64 * 8);
        let Some((base, bytes)) = self.image.range(..=record.lsn).next_back() else { return };
        let (base, offset) = (*base, (record.lsn - *base + bit / 8) as usize);
        if offset < bytes.len() {
            self.change(base, offset..offset + 1, |byte| byte ^ (1 << (bit % 8)));
        }
    }

    fn change(&mut self, base: Lsn, range: std::ops::Range<usize>, change: impl Fn(u8) -> u8) {
        self.ranges.push((base + range.start as u64, base + range.end as u64));
        let bytes = self.image.get_mut(&base).expect("it is there");
        bytes[range].iter_mut().for_each(|byte| *byte = change(*byte));
    }
}

/// What a damaged log is held to.
struct Trial<'a> {
    model: &'a Model,
    options: &'a Options,
    whole: &'a Image,
}

impl Trial<'_> {
    fn open(&self, image: &Image) -> Result<(Log, Recovery), OpenError> {
        let disk = Disk::with(image);
        disk.state().unknown = vec![STRANGER.into()];
        let opened = disk.open(self.options);
        match &opened {
            Ok((_, recovery)) => assert_eq!(recovery.unknown_files, [STRANGER]),
            Err(_) => assert!(disk.image() == *image, "a refusal writes nothing"),
        }
        opened
    }

    fn judge(&self, rotten: &Rotten, trace: &mut Trace, coverage: &mut Coverage) {
        trace.line(format_args!("rot {:?}", rotten.ranges));
        let (log, recovery) = match self.open(&rotten.image) {
            Ok(opened) => opened,
            Err(error) => {
                trace.line(format_args!("= {error}"));
                return self.judge_refusal(rotten, error, coverage);
            }
        };
        trace.line(format_args!("= {recovery:?}, durable {}", log.durable()));
        self.model.cursors_agree(&log, log.durable(), &recovery.clamped);
        self.judge_front(rotten, &log, &recovery, coverage);
        let read = self.read(&log);
        let end = log.durable();
        let lost: Vec<_> = self.model.readable().iter().filter(|record| record.lsn >= end).collect();
        self.judge_tail(rotten, &recovery, end, &lost);
        coverage.hit(match (recovery.truncated, read) {
            (Some(_), _) => Branch::RotCutOff,
            (None, read) if read + lost.len() < self.records_from(&log) => Branch::RotFoundByRead,
            _ => Branch::RotHarmless,
        });
    }

    /// A refusal names a range in which something is damaged.
    fn judge_refusal(&self, rotten: &Rotten, error: OpenError, coverage: &mut Coverage) {
        let OpenError::Damaged { damage, .. } = error else { panic!("{error}") };
        // A file that is too much is told by the gap before it.
        let touches = |(from, to): &(Lsn, Lsn)| *from <= damage.to && damage.from <= *to;
        assert!(rotten.ranges.iter().any(touches), "{damage}: nothing is damaged there");
        coverage.hit(Branch::RotRefused);
        coverage.hit(match damage.what {
            DamageKind::Record => Branch::RotRecord,
            DamageKind::Header => Branch::RotHeader,
            DamageKind::Seal => Branch::RotSeal,
            DamageKind::Missing => Branch::RotMissing,
            DamageKind::Foreign => Branch::RotForeign,
            what @ (DamageKind::Unreadable(_) | DamageKind::UnknownKind(_)) => panic!("{what}"),
        });
    }

    /// Files that are missing at the front look like files that were released;
    /// consumers that still needed them are named.
    fn judge_front(&self, rotten: &Rotten, log: &Log, recovery: &Recovery, coverage: &mut Coverage) {
        let front = *rotten.image.keys().next().expect("the image is not empty");
        let first = log.usage().first;
        assert!(first <= self.model.first.max(front + HEADER_BYTES), "the log begins at {first}");
        for clamped in &recovery.clamped {
            assert!(clamped.from < front, "the cursor of {} was where it belongs", clamped.consumer);
            coverage.hit(Branch::RotClamped);
        }
        if log.durable() == self.model.durable {
            let held = self.model.cursors.range(..ELSEWHERE);
            for (consumer, cursor) in held.filter(|(_, cursor)| cursor.low() < front) {
                let named = recovery.clamped.iter().any(|clamped| clamped.consumer == *consumer);
                assert!(named, "{consumer} has lost what is before {front}, from {}", cursor.low());
            }
        }
    }

    fn records_from(&self, log: &Log) -> usize {
        let first = log.usage().first;
        self.model.records.iter().rev().take_while(|record| record.lsn >= first).count()
    }

    /// Reads everything; what cannot be read is named. The number of records.
    fn read(&self, log: &Log) -> usize {
        let (first, end) = (log.usage().first, log.durable());
        let records = &self.model.records;
        let mut next = records.partition_point(|record| record.lsn < first);
        let (mut at, mut read) = (Lsn::ZERO, 0);
        loop {
            match log.read(at) {
                Ok(Some(entry)) => {
                    assert!(next < records.len(), "a record that nobody appended: {entry:?}");
                    assert!(is_same(&entry, &records[next], next as u64), "a wrong record: {entry:?}");
                    (at, next, read) = (entry.next, next + 1, read + 1);
                }
                Ok(None) => break,
                Err(damage) => {
                    assert!(damage.from < damage.to && damage.to > at, "{damage}");
                    next += records[next..].partition_point(|record| record.lsn < damage.to);
                    at = damage.to;
                }
            }
        }
        assert!(next == records.len() || records[next].lsn >= end, "no record at {}", records[next].lsn);
        read
    }

    /// What was durable may be cut off only if nothing is left that vouches for
    /// it: no seal, no later record of another segment or with a mark beyond. And
    /// it is told, if there is a trace of it.
    fn judge_tail(&self, rotten: &Rotten, recovery: &Recovery, end: Lsn, lost: &[&Record]) {
        let Some(first) = lost.first() else { return };
        let (base, whole) = self.segment_of(first.lsn);
        for record in lost {
            let vouches = self.is_intact(rotten, record.lsn, record.next)
                && (self.mark(record) > first.lsn || self.segment_of(record.lsn).0 > base);
            assert!(!vouches, "{} is lost, and {} says that it was durable", first.lsn, record.lsn);
        }
        let (seal, segment_end) = (base + (whole.len() as u64 - SEAL_BYTES), base + whole.len() as u64);
        let sealed = segment_end <= self.model.durable && self.is_intact(rotten, seal, segment_end);
        assert!(!sealed, "{} is lost and lay in a full segment", first.lsn);
        let Some(found) = rotten.image.get(&base) else { return };
        let behind = (end.max(base + HEADER_BYTES) - base) as usize;
        let trace = found[behind..].iter().any(|byte| *byte != 0);
        assert!(recovery.truncated.is_some() || !trace, "{} is lost in silence", first.lsn);
    }

    fn segment_of(&self, lsn: Lsn) -> (Lsn, &[u8]) {
        let (base, bytes) = self.whole.range(..=lsn).next_back().expect("every record has a segment");
        (*base, bytes)
    }

    fn is_intact(&self, rotten: &Rotten, from: Lsn, to: Lsn) -> bool {
        let (base, whole) = self.segment_of(from);
        let range = (from - base) as usize..(to - base) as usize;
        rotten.image.get(&base).and_then(|found| found.get(range.clone())) == Some(&whole[range])
    }

    /// The position below which everything was durable when the record was made.
    fn mark(&self, record: &Record) -> Lsn {
        let (base, whole) = self.segment_of(record.lsn);
        let mark = &whole[(record.lsn - base) as usize + MARK_OFFSET..][..8];
        Lsn(u64::from_le_bytes(mark.try_into().expect("eight bytes")))
    }
}

/// The image with frames of another log behind its end, where they would go on
/// if it were theirs.
fn stale(random: &mut Random, model: &Model, options: &Options, image: &Image) -> Option<Rotten> {
    let (base, segment) = image.range(..=model.durable).next_back()?;
    let (base, segment_bytes) = (*base, segment.len() as u64);
    if random.below(4) > 0 || !base.0.is_multiple_of(segment_bytes) {
        return None;
    }
    let other = Disk::seeded(random.fork(), Trace::hashed());
    let options = Options { segment_bytes, max_bytes: base.0 + 4 * segment_bytes, ..options.clone() };
    let options = Options { pending_bytes_max: segment_bytes, ..options };
    let (mut log, _) = other.open(&options).ok()?;
    let mut put = |bytes: u64| {
        let body = vec![0xee; bytes as usize];
        // Without room now, the flush makes some.
        let _ = log.append(Kind::OWNER_MIN, 1, Fsync::Always, &[&body]);
        log.submit().and_then(|()| log.poll()).expect("the disk works");
        log.end()
    };
    let mut end = put(8);
    while end < base {
        end = put(options.record_bytes_max());
    }
    while end < model.durable {
        let left = model.durable - end;
        let bytes = if left < 6000 { left.checked_sub(56)? } else { 4000 };
        end = put(bytes);
    }
    if end != model.durable || put(40) <= end || put(40) >= base + (segment_bytes - 200) {
        return None;
    }
    let (from, bytes) = ((model.durable - base) as usize, other.image().remove(&base)?);
    let mut rotten = Rotten { image: image.clone(), ranges: Vec::new() };
    rotten.image.get_mut(&base)?[from..].copy_from_slice(&bytes[from..]);
    Some(rotten)
}
