//! The bytes of one file: those that programs see, and those the disk has.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use crate::cut::{ALL_SECTORS, Chance};

/// A page is what a file system writes as one, where nothing is promised.
pub(crate) const PAGE_BYTES: usize = 4096;
/// A sector is what a disk writes as one.
const SECTOR_BYTES: usize = 512;

const _: () =
    assert!(PAGE_BYTES / SECTOR_BYTES == u8::BITS as usize, "a page's sectors are the bits of a byte");

type Page = Arc<[u8; PAGE_BYTES]>;

static ZEROS: [u8; PAGE_BYTES] = [0; PAGE_BYTES];

/// Bytes of a file. No page lies behind the end, and the last page is zero
/// there, so that a file that grows shows zeros.
#[derive(Clone, Default)]
struct Image {
    bytes: u64,
    /// By number; one that is not here is zero.
    pages: BTreeMap<u64, Page>,
}

impl Image {
    fn page(&self, number: u64) -> &[u8; PAGE_BYTES] {
        self.pages.get(&number).map_or(&ZEROS, |page| page)
    }

    fn page_mut(&mut self, number: u64) -> &mut [u8; PAGE_BYTES] {
        Arc::make_mut(self.pages.entry(number).or_insert_with(|| Arc::new(ZEROS)))
    }

    /// Takes a page as another image has it.
    fn take(&mut self, number: u64, other: &Self) {
        match other.pages.get(&number) {
            Some(page) => drop(self.pages.insert(number, Arc::clone(page))),
            None => drop(self.pages.remove(&number)),
        }
    }

    /// Drops what lies behind the end.
    fn trim(&mut self) {
        self.pages.split_off(&self.bytes.div_ceil(PAGE_BYTES as u64));
        let (last, tail) = (self.bytes / PAGE_BYTES as u64, (self.bytes % PAGE_BYTES as u64) as usize);
        if let Some(page) = self.pages.get_mut(&last)
            && page[tail..] != ZEROS[tail..]
        {
            Arc::make_mut(page)[tail..].fill(0);
        }
    }
}

/// Both states of a file.
#[derive(Default)]
pub(crate) struct Content {
    seen: Image,
    disk: Image,
    /// Pages in which the two may differ.
    unsynced: BTreeSet<u64>,
}

impl Content {
    pub(crate) fn bytes(&self) -> u64 {
        self.seen.bytes
    }

    /// Pages that take space.
    pub(crate) fn pages(&self) -> u64 {
        self.seen.pages.len() as u64
    }

    /// Pages that a write would add.
    pub(crate) fn pages_added(&self, offset: u64, bytes: usize) -> u64 {
        let pages = pages_of(offset, bytes);
        let there = self.seen.pages.range(pages.clone()).count() as u64;
        pages.end - pages.start - there
    }

    pub(crate) fn read(&self, offset: u64, bytes: usize) -> Vec<u8> {
        let end = self.seen.bytes.min(offset.saturating_add(bytes as u64));
        let mut read = Vec::with_capacity(end.saturating_sub(offset) as usize);
        for (page, range) in pieces(offset, end.saturating_sub(offset) as usize) {
            read.extend_from_slice(&self.seen.page(page)[range]);
        }
        read
    }

    pub(crate) fn write(&mut self, offset: u64, mut data: &[u8]) {
        self.seen.bytes = self.seen.bytes.max(offset + data.len() as u64);
        for (page, range) in pieces(offset, data.len()) {
            let (piece, rest) = data.split_at(range.len());
            self.seen.page_mut(page)[range].copy_from_slice(piece);
            self.unsynced.insert(page);
            data = rest;
        }
    }

    pub(crate) fn set_bytes(&mut self, bytes: u64) {
        if bytes < self.seen.bytes {
            let cut_off = bytes / PAGE_BYTES as u64..;
            let gone = self.seen.pages.range(cut_off.clone()).chain(self.disk.pages.range(cut_off));
            self.unsynced.extend(gone.map(|(page, _)| page));
        }
        self.seen.bytes = bytes;
        self.seen.trim();
    }

    /// The disk gets all that is seen.
    pub(crate) fn sync(&mut self) {
        for page in std::mem::take(&mut self.unsynced) {
            self.disk.take(page, &self.seen);
        }
        self.disk.bytes = self.seen.bytes;
    }

    /// Writing back has failed, and the pages count as clean all the same: who
    /// reads them from the disk finds the old ones, and the next sync does not
    /// write them. A size is no page, and is not forgotten.
    pub(crate) fn forget_unsynced(&mut self) {
        for page in &self.unsynced {
            self.seen.take(*page, &self.disk);
        }
        self.seen.trim();
        self.unsynced = self.unsynced.split_off(&(self.seen.bytes / PAGE_BYTES as u64));
    }

    /// From here on, what is seen is what the disk has.
    pub(crate) fn cut(&mut self, chance: &mut Chance) {
        for page in std::mem::take(&mut self.unsynced) {
            match chance.page() {
                0 => {}
                ALL_SECTORS => self.disk.take(page, &self.seen),
                sectors => {
                    let (new, torn) = (self.seen.page(page), self.disk.page_mut(page));
                    for sector in (0..8).filter(|sector| sectors & 1 << sector != 0) {
                        let range = sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES;
                        torn[range.clone()].copy_from_slice(&new[range]);
                    }
                }
            }
        }
        if self.seen.bytes != self.disk.bytes && chance.size() {
            self.disk.bytes = self.seen.bytes;
        }
        self.disk.trim();
        self.seen = self.disk.clone();
    }
}

/// The pages that a range touches.
fn pages_of(offset: u64, bytes: usize) -> Range<u64> {
    let first = offset / PAGE_BYTES as u64;
    first..(offset + bytes as u64).div_ceil(PAGE_BYTES as u64).max(first)
}

/// A range page by page: the page's number and the range in it.
fn pieces(offset: u64, bytes: usize) -> impl Iterator<Item = (u64, Range<usize>)> {
    let end = offset + bytes as u64;
    pages_of(offset, bytes).map(move |page| {
        let start = page * PAGE_BYTES as u64;
        let from = offset.max(start) - start;
        let to = end.min(start + PAGE_BYTES as u64) - start;
        (page, from as usize..to as usize)
    })
}
