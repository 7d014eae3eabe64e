//! Which file covers which positions, also where headers are damaged, names are
//! wrong or files are missing.
//!
//! A segment's place is what its header says; where the header is damaged, what
//! the file's name says, and its generation is what a whole frame in it says. Both
//! are believed only as far as they fit the other segments: generations count up
//! by one from segment to segment, so two headers tell how many segments lie
//! between them. The largest set of files that fit each other is the log; others
//! are of another log or time.

use std::collections::BTreeMap;

use super::{Content, Depth, Fault, InspectError, Source};
use crate::{
    limits::{SEGMENT_ALIGN_BYTES, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN},
    lsn::Lsn,
    record,
    segment::{BadHeader, HEADER_BYTES, Header},
};

/// A segment of the log, be it there or not.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// As it is, or as it must have been.
    pub header: Header,
    /// The file that holds it, by the base in its name.
    pub file: Option<Lsn>,
    /// What is wrong with the file as a whole.
    pub fault: Option<Fault>,
}

/// All segments, ascending, without a hole.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub slots: Vec<Slot>,
    /// Files that are no part of the log, with what is wrong with each and its
    /// size.
    pub strangers: Vec<(Lsn, Fault, u64)>,
}

/// What a file says of its place.
#[derive(Clone, Debug)]
struct Claim {
    name: Lsn,
    header: Header,
    /// The generation is known.
    certain: bool,
    fault: Option<Fault>,
}

impl Plan {
    pub(crate) fn of(source: &Source) -> Result<Self, InspectError> {
        let mut plan = Self::default();
        let mut claims: BTreeMap<Lsn, Claim> = BTreeMap::new();
        let mut rivals = Vec::new();
        // From the last to the first, as an owner removes them the other way: of
        // those before one that is gone all are.
        for (index, name) in source.segments.iter().enumerate().rev() {
            let Some(content) = source.read(*name, Depth::Ends)? else { break };
            let next = source.segments.get(index + 1).copied();
            let claim = match claim(source, *name, &content, next)? {
                Ok(claim) => claim,
                Err(fault) => {
                    plan.strangers.push((*name, fault, content.bytes.len() as u64));
                    continue;
                }
            };
            // Of two files for the same place the one with the right name wins.
            let holder = claims.get(&claim.header.base);
            if holder.is_none_or(|holder| holder.name != claim.header.base) {
                rivals.extend(claims.insert(claim.header.base, claim));
            } else {
                rivals.push(claim);
            }
        }
        let mut claims: Vec<_> = claims.into_values().collect();
        settle_uncertain(&mut claims);
        let (fitting, others) = largest_fitting(claims);
        for claim in others.into_iter().chain(rivals) {
            plan.strangers.push((claim.name, Fault::Foreign, claim.header.segment_bytes));
        }
        fitting.into_iter().for_each(|claim| plan.push(claim));
        plan.strangers.sort_by_key(|(name, _, _)| *name);
        Ok(plan)
    }

    /// Appends a segment, and those that are missing before it.
    fn push(&mut self, claim: Claim) {
        if let Some(before) = self.slots.last() {
            let mut before = before.header;
            let mut left = claim.header.generation.wrapping_sub(before.generation).wrapping_sub(1);
            while left > 0 {
                before = before.following(missing_bytes(claim.header.base - before.end(), left));
                self.slots.push(Slot { header: before, file: None, fault: Some(Fault::Missing) });
                left -= 1;
            }
        }
        let Claim { name, header, fault, .. } = claim;
        self.slots.push(Slot { header, file: Some(name), fault });
    }
}

/// What a file says of its place, or why it says nothing.
fn claim(
    source: &Source,
    name: Lsn,
    content: &Content,
    next: Option<Lsn>,
) -> Result<Result<Claim, Fault>, InspectError> {
    let file_bytes = content.bytes.len() as u64;
    let header = match Header::decode_page(&content.bytes) {
        Err(BadHeader::Future(version)) => return Ok(Err(Fault::FutureVersion { version })),
        Ok(header) if is_size(header.segment_bytes) => header,
        _ => {
            let segment_bytes = likely_bytes(name, file_bytes, next);
            let whole = source.read(name, Depth::Whole)?;
            let generation = whole.and_then(|content| record::generation(&content.bytes, name));
            let header = Header { base: name, segment_bytes, generation: generation.unwrap_or(0) };
            let fault = Some(Fault::Header);
            return Ok(Ok(Claim { name, header, certain: generation.is_some(), fault }));
        }
    };
    let fault = if header.base != name {
        Some(Fault::Misnamed { holds: header.base })
    } else if header.segment_bytes != file_bytes {
        Some(Fault::Size { file_bytes, segment_bytes: header.segment_bytes })
    } else {
        None
    };
    Ok(Ok(Claim { name, header, certain: true, fault }))
}

fn is_size(bytes: u64) -> bool {
    (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&bytes) && bytes.is_multiple_of(SEGMENT_ALIGN_BYTES)
}

/// The size of a segment whose header does not tell it.
fn likely_bytes(name: Lsn, file_bytes: u64, next: Option<Lsn>) -> u64 {
    let to_next = next.map_or(0, |next| next - name);
    if is_size(file_bytes) {
        file_bytes
    } else if is_size(to_next) {
        to_next
    } else {
        let pages = file_bytes.max(HEADER_BYTES).next_multiple_of(SEGMENT_ALIGN_BYTES);
        pages.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX)
    }
}

/// The size of the first of so many missing segments in a range: all alike, and
/// the last takes what is left over.
fn missing_bytes(range: u64, segments: u32) -> u64 {
    match segments {
        1 => range,
        _ => (range / u64::from(segments)) / SEGMENT_ALIGN_BYTES * SEGMENT_ALIGN_BYTES,
    }
}

/// Gives the generation to segments that do not tell theirs and lie beside one
/// that does.
fn settle_uncertain(claims: &mut [Claim]) {
    for index in 1..claims.len() {
        let before = claims[index - 1].clone();
        let claim = &mut claims[index];
        if before.certain && !claim.certain && before.header.end() == claim.header.base {
            claim.header = before.header.following(claim.header.segment_bytes);
            claim.certain = true;
        }
    }
    for index in (1..claims.len()).rev() {
        let after = claims[index].clone();
        let claim = &mut claims[index - 1];
        if after.certain && !claim.certain && claim.header.end() == after.header.base {
            claim.header.generation = after.header.generation.wrapping_sub(1);
            claim.certain = true;
        }
    }
}

/// Whether the second can be the first's, or a later, successor.
fn fits(before: &Header, after: &Header) -> bool {
    let between = after.generation.wrapping_sub(before.generation).wrapping_sub(1);
    let Some(range) = after.base.0.checked_sub(before.end().0) else { return false };
    let segments = u64::from(between);
    match between {
        0 => range == 0,
        _ => {
            range.is_multiple_of(SEGMENT_ALIGN_BYTES)
                && range / SEGMENT_BYTES_MIN >= segments
                && range.div_ceil(SEGMENT_BYTES_MAX) <= segments
        }
    }
}

/// Splits the segments into the largest set found whose members fit each other,
/// ascending, and the others. Each is tried as the one to be believed.
fn largest_fitting(claims: Vec<Claim>) -> (Vec<Claim>, Vec<Claim>) {
    let members = |reference: usize| {
        let believed = &claims[reference].header;
        let mut members: Vec<usize> = Vec::new();
        for (index, claim) in claims.iter().enumerate() {
            let fits_reference = match index.cmp(&reference) {
                std::cmp::Ordering::Less => fits(&claim.header, believed),
                std::cmp::Ordering::Equal => true,
                std::cmp::Ordering::Greater => fits(believed, &claim.header),
            };
            let fits_last = members.last().is_none_or(|last| fits(&claims[*last].header, &claim.header));
            if fits_reference && fits_last {
                members.push(index);
            }
        }
        members
    };
    let mut largest: Vec<usize> = Vec::new();
    for reference in 0..claims.len() {
        // What is in a set already leads to that set again.
        if !largest.contains(&reference) {
            let found = members(reference);
            if found.len() > largest.len() {
                largest = found;
            }
        }
    }
    let (mut fitting, mut others) = (Vec::new(), Vec::new());
    for (index, claim) in claims.into_iter().enumerate() {
        if largest.contains(&index) { fitting.push(claim) } else { others.push(claim) }
    }
    (fitting, others)
}
