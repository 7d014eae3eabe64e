//! Shared memory as atomics: the one file of this crate with `unsafe` in it.
//!
//! A page is a regular file on tmpfs, mapped by both processes. Its last 64
//! bytes are the bell, a futex word of 32 bits; everything before is 64-bit
//! words. The two ranges do not overlap, so no byte is accessed at two sizes.
//!
//! The process that writes holds a [`Page`], every other one a [`RemotePage`], which
//! the kernel does not let it write through.
//!
//! What makes the mapping sound in the face of other processes: the words are
//! only ever touched atomically, so any bit pattern at any moment is a value;
//! and the file never shrinks, because it lies in a directory that only this
//! user may write to ([`crate::dir`]), and this crate, which never shortens a
//! page, is what writes there. If the user truncates a page by hand all the
//! same, the next access raises SIGBUS: the process ends, memory stays safe.

// Mapped memory cannot be reached without it: the standard library has no
// safe view of memory that another process writes.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::Duration;

use memmap2::{Mmap, MmapOptions, MmapRaw};
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use rustix::thread::futex;

/// Granularity of a mapping.
const MAP_BYTES: usize = 4096;
/// The bell has the last cache line to itself.
const BELL_BYTES: usize = 64;

/// A page this process writes.
#[derive(Debug)]
pub(crate) struct Page {
    map: MmapRaw,
}

/// A page another process writes.
#[derive(Debug)]
pub(crate) struct RemotePage {
    map: MmapRaw,
}

/// A page to be read, whoever writes it.
pub(crate) trait Words {
    /// The word at `index`; `None` behind the end. What its writer did before
    /// storing it with Release is visible after this.
    fn load(&self, index: usize) -> Option<u64>;
}

/// The length of the file that holds at least `words` words.
pub(crate) fn page_bytes(words: usize) -> usize {
    (words * 8 + BELL_BYTES).next_multiple_of(MAP_BYTES)
}

impl Page {
    /// Maps `file`, grown to hold `words` words; new words are zero.
    ///
    /// The memory is reserved here: a store into a sparse page of a full tmpfs
    /// would raise SIGBUS, this fails with ENOSPC.
    pub(crate) fn map(file: &File, words: usize) -> io::Result<Page> {
        let bytes = page_bytes(words);
        match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes as u64) {
            Err(Errno::OPNOTSUPP) if file.metadata()?.len() < bytes as u64 => file.set_len(bytes as u64)?,
            Err(Errno::OPNOTSUPP) => {}
            other => other?,
        }
        Ok(Page { map: MmapOptions::new().len(bytes).map_raw(file)? })
    }

    /// All words.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        let count = (self.map.len() - BELL_BYTES) / 8;
        // SAFETY: Justification: see the head of the file. Proof: the pointer comes from mmap, hence
        // aligned to 4096, and valid for `count * 8 <= map.len()` bytes of readable and writable
        // memory until `self.map` is dropped, which the returned lifetime forbids. AtomicU64 has the
        // size and bit validity of u64, for which every pattern is valid. The range is accessed by
        // nothing but AtomicU64 in every process (the bell lies after it), so there is no data race.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast::<AtomicU64>(), count) }
    }

    /// Wakes every process that waits for this page to change. To be called
    /// after the change.
    pub(crate) fn ring(&self) {
        let bell = bell(&self.map);
        // Release: a waiter that sees the new count sees the change, and does not sleep.
        bell.fetch_add(1, Ordering::Release);
        // The only error is a bad address, which this is not.
        let _ = futex::wake(bell, futex::Flags::empty(), i32::MAX as u32);
    }
}

impl RemotePage {
    /// Maps `file`, which must be a whole page of at least `words` words.
    pub(crate) fn map(file: &File, words: usize) -> io::Result<RemotePage> {
        // Before mapping: an access behind the end of the file would raise SIGBUS.
        let bytes = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if bytes < page_bytes(words) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "shorter than its contents"));
        }
        Ok(RemotePage { map: MmapOptions::new().len(page_bytes(words)).map_raw_read_only(file)? })
    }

    /// How often the bell has rung (wrapping), to be read before looking at
    /// the words.
    pub(crate) fn rings(&self) -> u32 {
        let rings = bell(&self.map).load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        rings
    }

    /// Sleeps until the bell rings after `rings` was read, at most `timeout`;
    /// may wake early.
    pub(crate) fn sleep(&self, rings: u32, timeout: Duration) {
        let timeout = rustix::time::Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        match futex::wait(bell(&self.map), futex::Flags::empty(), rings, Some(&timeout)) {
            Ok(()) | Err(Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT) => {}
            // A kernel or filter that refuses futexes on this file: poll.
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

impl Words for Page {
    fn load(&self, index: usize) -> Option<u64> {
        self.words().get(index).map(|word| word.load(Ordering::Acquire))
    }
}

impl Words for RemotePage {
    fn load(&self, index: usize) -> Option<u64> {
        let count = (self.map.len() - BELL_BYTES) / 8;
        if index >= count {
            return None;
        }
        // SAFETY: Justification: see the head of the file. Proof: `index < count`, so the eight bytes
        // lie inside the map, aligned to 8 because the map is aligned to 4096, and stay mapped while
        // `self` is borrowed; every process accesses them as AtomicU64 only. The memory is read-only
        // here: a relaxed load of this size is among those the standard library allows there.
        let word = unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().cast::<u64>().add(index)) };
        let value = word.load(Ordering::Relaxed);
        // Instead of an acquiring load, which is not guaranteed to leave read-only memory unwritten.
        fence(Ordering::Acquire);
        Some(value)
    }
}

/// The futex word at the end of the map.
fn bell(map: &MmapRaw) -> &AtomicU32 {
    // SAFETY: Justification: see the head of the file. Proof: the map is at least MAP_BYTES long, so
    // the last BELL_BYTES lie inside it, and start at a multiple of 64; they stay mapped while `map`
    // is borrowed. Nothing accesses them but as this AtomicU32. In a RemotePage the memory is read-only:
    // there this is only loaded relaxed, and read by the kernel.
    unsafe { AtomicU32::from_ptr(map.as_mut_ptr().add(map.len() - BELL_BYTES).cast::<u32>()) }
}

/// Maps the whole of a file that is complete and never written again.
pub(crate) fn map_immutable(file: &File) -> io::Result<Mmap> {
    // SAFETY: Justification: decoding reads the bytes in place instead of copying them first. Proof of
    // what `map` asks for, that nobody changes the file while it is mapped: a snapshot is written
    // under another name, made read-only, and renamed; nobody opens it for writing afterwards, and
    // removing it leaves the mapping intact. Only this user can do otherwise (see the head).
    unsafe { MmapOptions::new().map(file) }
}
