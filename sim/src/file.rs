//! A segment file, page by page: what the platter has, what the kernel has, and
//! what the process wanted.

use std::{collections::BTreeSet, io};

use bytes::Bytes;

use crate::{
    coverage::{Branch, Coverage},
    random::Random,
};

/// What the kernel writes back as one.
pub const PAGE_BYTES: usize = 4096;
/// What a disk writes as one.
pub const SECTOR_BYTES: usize = 512;

/// A file. A page that is not dirty may still differ from the platter: its write
/// failed, and the kernel counts it as clean all the same.
#[derive(Clone, Debug)]
pub struct File {
    platter: Vec<u8>,
    cache: Vec<u8>,
    intended: Vec<u8>,
    dirty: BTreeSet<usize>,
    /// A page was lost in the background, and no sync has told so yet.
    owes_error: bool,
    shown: Option<Bytes>,
}

impl File {
    /// A file that is on the platter.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self {
            cache: bytes.clone(),
            intended: bytes.clone(),
            platter: bytes,
            dirty: BTreeSet::new(),
            owes_error: false,
            shown: None,
        }
    }

    /// What a loss of power leaves at least.
    #[must_use]
    pub fn platter(&self) -> &[u8] {
        &self.platter
    }

    /// What readers see.
    #[must_use]
    pub fn cache(&self) -> &[u8] {
        &self.cache
    }

    pub(crate) fn view(&mut self) -> Bytes {
        self.shown.get_or_insert_with(|| Bytes::copy_from_slice(&self.cache)).clone()
    }

    /// The process wants these bytes there; [`write`](Self::write) brings them.
    pub(crate) fn intend(&mut self, offset: usize, bytes: &[u8]) {
        self.intended[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    pub(crate) fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.shown = None;
        self.cache[offset..offset + bytes.len()].copy_from_slice(bytes);
        if !bytes.is_empty() {
            self.dirty.extend(offset / PAGE_BYTES..=(offset + bytes.len() - 1) / PAGE_BYTES);
        }
    }

    /// Everything reaches the platter, unless something was lost before.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        for page in std::mem::take(&mut self.dirty) {
            self.store(page);
        }
        if std::mem::take(&mut self.owes_error) { Err(io::Error::from_raw_os_error(5)) } else { Ok(()) }
    }

    /// A sync that fails: some pages reach the platter, all are clean then.
    pub(crate) fn fail_sync(&mut self, random: &mut Random, coverage: &mut Coverage) {
        self.owes_error = false;
        for page in std::mem::take(&mut self.dirty) {
            self.leave_to_chance(page, random, coverage);
        }
    }

    /// The kernel writes a dirty page back when it likes.
    pub(crate) fn write_back(&mut self, random: &mut Random) -> bool {
        let page = self.any_dirty(random);
        page.inspect(|page| self.store(*page)).is_some()
    }

    /// The kernel tries to, the disk fails, and the page counts as clean.
    pub(crate) fn fail_write_back(&mut self, random: &mut Random, coverage: &mut Coverage) -> bool {
        let page = self.any_dirty(random);
        page.inspect(|page| self.leave_to_chance(*page, random, coverage)).is_some_and(|_| {
            self.owes_error = true;
            true
        })
    }

    /// The kernel drops its clean pages and reads them again.
    pub(crate) fn evict(&mut self) {
        self.shown = None;
        for page in 0..self.cache.len().div_ceil(PAGE_BYTES) {
            if !self.dirty.contains(&page) {
                let range = self.page(page);
                self.cache[range.clone()].copy_from_slice(&self.platter[range]);
            }
        }
    }

    /// The power fails: each dirty page is old, new, or torn between sectors.
    pub(crate) fn cut_power(&mut self, random: &mut Random, coverage: &mut Coverage) {
        for page in std::mem::take(&mut self.dirty) {
            self.leave_to_chance(page, random, coverage);
        }
        self.owes_error = false;
        self.evict();
    }

    /// What is there now is what was wanted.
    pub(crate) fn accept(&mut self) {
        self.intended.clone_from(&self.cache);
    }

    /// Offset of the first byte on the platter that is not as wanted.
    pub(crate) fn differs_at(&self) -> Option<usize> {
        let pages = self.intended.chunks(PAGE_BYTES).zip(self.platter.chunks(PAGE_BYTES));
        let (page, (wanted, found)) = pages.enumerate().find(|(_, (wanted, found))| wanted != found)?;
        let byte = wanted.iter().zip(found).position(|(wanted, found)| wanted != found)?;
        Some(page * PAGE_BYTES + byte)
    }

    fn page(&self, page: usize) -> std::ops::Range<usize> {
        page * PAGE_BYTES..self.cache.len().min((page + 1) * PAGE_BYTES)
    }

    fn any_dirty(&mut self, random: &mut Random) -> Option<usize> {
        let page = *self.dirty.iter().nth(random.below(self.dirty.len().max(1) as u64) as usize)?;
        self.dirty.remove(&page);
        Some(page)
    }

    fn store(&mut self, page: usize) {
        let range = self.page(page);
        self.platter[range.clone()].copy_from_slice(&self.cache[range]);
    }

    fn leave_to_chance(&mut self, page: usize, random: &mut Random, coverage: &mut Coverage) {
        let range = self.page(page);
        match random.below(4) {
            0 => return coverage.hit(Branch::OldPage),
            1 => {
                coverage.hit(Branch::NewPage);
                return self.store(page);
            }
            _ => {}
        }
        let (mut old, mut new) = (false, false);
        for start in range.clone().step_by(SECTOR_BYTES) {
            let sector = start..range.end.min(start + SECTOR_BYTES);
            if self.platter[sector.clone()] == self.cache[sector.clone()] {
                continue;
            }
            if random.coin() {
                new = true;
                self.platter[sector.clone()].copy_from_slice(&self.cache[sector]);
            } else {
                old = true;
            }
        }
        if old && new {
            coverage.hit(Branch::TornPage);
        }
    }
}
