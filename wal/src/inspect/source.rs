//! Reading a log's directory without holding it.
//!
//! Files are read and not mapped: where the disk cannot return a sector, a read
//! says so and a map ends the process; and the bytes of a log that is in use may
//! change. They are read from the back to the front, as the owner writes them the
//! other way: whatever was seen of a record, all that is before it in the file is
//! seen as it was later. So nothing looks damaged because it was being written.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

use rustix::fs::{Advice, fadvise, major, minor};

use super::InspectError;
use crate::{
    directory::{self, LOCK, Names},
    limits::{INSPECT_PAGE_BYTES, INSPECT_READ_BYTES, SEGMENT_BYTES_MAX},
    lsn::Lsn,
    segment::{HEADER_BYTES, SEAL_FRAME_BYTES},
};

/// What is read of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The header and the seal; zeros between them.
    Ends,
    /// Every byte, from the disk rather than from the page cache.
    Whole,
}

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Content {
    pub bytes: Vec<u8>,
    /// Offsets from which the disk returned nothing, with the last error; `bytes`
    /// has zeros there.
    pub unreadable: Vec<(u64, u64)>,
    pub error: Option<io::Error>,
}

/// A log's directory.
#[derive(Debug)]
pub(crate) struct Source {
    pub path: PathBuf,
    /// Bases that the names of segment files say, ascending.
    pub segments: Vec<Lsn>,
    pub unfinished: Vec<String>,
    pub unknown: Vec<String>,
    pub holder: Option<u32>,
}

impl Source {
    pub(crate) fn open(path: &Path) -> Result<Self, InspectError> {
        let io = |source| InspectError::Io { path: path.to_owned(), source };
        let listed = directory::names(path);
        let Names { listing, leftover, .. } = match listed {
            Ok(listed) => listed,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(InspectError::NoLog { path: path.to_owned() });
            }
            Err(error) => return Err(io(error)),
        };
        let lock = path.join(LOCK);
        if listing.segments.is_empty() && !lock.exists() {
            return Err(InspectError::NoLog { path: path.to_owned() });
        }
        Ok(Self {
            path: path.to_owned(),
            segments: listing.segments,
            unfinished: leftover,
            unknown: listing.unknown,
            holder: holder(&lock),
        })
    }

    /// Reads a segment's file; `None` if it is gone.
    pub(crate) fn read(&self, base: Lsn, depth: Depth) -> Result<Option<Content>, InspectError> {
        let path = directory::segment_path(&self.path, base);
        let in_use = self.holder.is_some();
        match read(&path, depth, in_use) {
            Ok(mut content) => {
                if in_use && self.segments.last() == Some(&base) {
                    content.forget_seal();
                }
                Ok(Some(content))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(InspectError::Io { path, source }),
        }
    }
}

fn read(path: &Path, depth: Depth, in_use: bool) -> io::Result<Content> {
    let file = File::open(path)?;
    // No segment is larger; a larger file is damaged, and shows it by its size.
    let file_bytes = file.metadata()?.len().min(SEGMENT_BYTES_MAX + 1);
    let mut content = Content { bytes: vec![0; file_bytes as usize], unreadable: Vec::new(), error: None };
    match depth {
        Depth::Ends => {
            content.fill(&file, file_bytes.saturating_sub(SEAL_FRAME_BYTES), file_bytes)?;
            content.fill(&file, 0, HEADER_BYTES.min(file_bytes))?;
        }
        Depth::Whole => {
            // What the cache has is not what the disk has. It is only a hint.
            let _ = fadvise(&file, 0, None, Advice::DontNeed);
            content.fill_backwards(&file, INSPECT_READ_BYTES)?;
            if in_use {
                // A large read goes forwards in itself; now the pages are at hand.
                content.fill_backwards(&file, INSPECT_PAGE_BYTES)?;
            }
        }
    }
    Ok(content)
}

impl Content {
    /// The last file was not full when the directory of a log in use was listed:
    /// a full one has a successor. It has been sealed since.
    fn forget_seal(&mut self) {
        let seal = self.bytes.len().saturating_sub(SEAL_FRAME_BYTES as usize);
        self.bytes[seal..].fill(0);
    }

    /// Reads everything, in steps of this size from the back to the front.
    fn fill_backwards(&mut self, file: &File, step_bytes: u64) -> io::Result<()> {
        let mut end = self.bytes.len() as u64;
        while end > 0 {
            let start = (end - 1) / step_bytes * step_bytes;
            self.fill(file, start, end)?;
            end = start;
        }
        Ok(())
    }

    /// Reads a range; where the disk fails, page by page.
    fn fill(&mut self, file: &File, from: u64, to: u64) -> io::Result<()> {
        match read_range(file, &mut self.bytes[from as usize..to as usize], from) {
            Err(error) if is_of_the_disk(&error) && to - from > INSPECT_PAGE_BYTES => {
                let mut end = to;
                while end > from {
                    let start = ((end - 1) / INSPECT_PAGE_BYTES * INSPECT_PAGE_BYTES).max(from);
                    self.fill(file, start, end)?;
                    end = start;
                }
                Ok(())
            }
            Err(error) if is_of_the_disk(&error) => {
                self.bytes[from as usize..to as usize].fill(0);
                self.unreadable.push((from, to));
                self.error = Some(error);
                Ok(())
            }
            other => other,
        }
    }
}

/// A file that is shorter than it was has zeros there: it is damaged, and its
/// size shows it.
fn read_range(file: &File, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match file.read_at(buffer, at) {
            Ok(0) => break,
            Ok(bytes) => {
                buffer = &mut buffer[bytes..];
                at += bytes as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The disk did not return the bytes: `EIO`, or `EBADMSG` (a checksum of the file
/// system, on some).
fn is_of_the_disk(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::IO, Errno::BADMSG].map(|errno| Some(errno.raw_os_error())).contains(&error.raw_os_error())
}

/// The process that has the file locked, as the kernel tells it: asking for the
/// lock would be taking it. A process in another name space of process ids is not
/// seen.
fn holder(lock: &Path) -> Option<u32> {
    let metadata = fs::metadata(lock).ok()?;
    let written = fs::read_to_string(lock).ok()?.trim().parse().ok();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let device = format!("{:02x}:{:02x}", major(metadata.dev()), minor(metadata.dev()));
    locks.lines().find_map(|line| {
        let (process, file) = held(line)?;
        let (on, inode) = file.rsplit_once(':')?;
        // Some file systems show another device here than to those who ask for it.
        let is_ours = inode.parse() == Ok(metadata.ino()) && (on == device || Some(process) == written);
        is_ours.then_some(process)
    })
}

/// Process and file of a line of `/proc/locks`, if it is a lock that is held by
/// `flock`: `1: FLOCK  ADVISORY  WRITE 4711 fe:01:1234 0 EOF`.
fn held(line: &str) -> Option<(u32, &str)> {
    let mut words = line.split_whitespace().skip(1);
    let (kind, _, _) = (words.next()?, words.next()?, words.next()?);
    let (process, file) = (words.next()?.parse().ok()?, words.next()?);
    (kind == "FLOCK").then_some((process, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_disk_does_not_return_is_left_out_page_by_page() {
        // The kernel answers `EIO` for memory that is not there.
        let file = File::open("/proc/self/mem").unwrap();
        let mut content = Content { bytes: vec![1; 3 * 4096], unreadable: Vec::new(), error: None };
        content.fill(&file, 0, 2 * 4096 + 100).unwrap();
        assert_eq!(content.unreadable, [(8192, 8292), (4096, 8192), (0, 4096)]);
        assert!(content.error.is_some());
        assert!(content.bytes[..8292].iter().all(|byte| *byte == 0) && content.bytes[8292] == 1);
    }

    #[test]
    fn only_held_locks_of_the_right_kind_count() {
        let table = [
            ("3: FLOCK  ADVISORY  WRITE 4711 fe:01:1234 0 EOF", Some((4711, "fe:01:1234"))),
            ("3: -> FLOCK  ADVISORY  WRITE 4712 fe:01:1234 0 EOF", None),
            ("4: POSIX  ADVISORY  WRITE 4711 fe:01:1234 0 EOF", None),
            ("", None),
        ];
        for (line, expected) in table {
            assert_eq!(held(line), expected, "{line}");
        }
    }
}
