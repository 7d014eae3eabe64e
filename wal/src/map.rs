//! Read-only maps of segments.
#![allow(unsafe_code)] // Mapping a file is unsafe in every interface: the file can change under the reference.

use std::{fs::File, io};

use bytes::Bytes;
use memmap2::{Mmap, MmapOptions};

/// Maps a whole file and gives its bytes without a copy. The map lives as long
/// as the last view of it, also when the file's name is gone.
pub(crate) fn map(file: &File) -> io::Result<Bytes> {
    // SAFETY: the file must not shrink, and bytes that are read through the map
    // must not change. The directory is locked, so no other log writes here;
    // segments never shrink and are never written anew under the same name; this
    // log writes a segment's bytes once, above the durable mark, and readers are
    // given only bytes below it. Recovery, which reads all bytes, runs before
    // anything is written, and maps again after it wrote. Who else may write to
    // the directory is trusted; a file that is shrunk by force ends the process
    // by SIGBUS and shows nobody wrong bytes.
    let map: Mmap = unsafe { MmapOptions::new().map(file)? };
    Ok(Bytes::from_owner(map))
}
