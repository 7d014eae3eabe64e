//! Bytes that reach the block device for each byte that is committed, and bytes
//! that the kernel charges this process for.
//!
//! A page is the least that a device is given: a commit that begins and ends in
//! the middle of pages writes both. What must not happen is that a small commit
//! takes a whole large folio of the page cache with it.
//!
//! The device's counter includes what others write meanwhile, so the least of
//! some rounds is told. The zeros that every segment is prepared with are written
//! before the rounds begin; they are once again the bytes of the log.
//!
//! `cargo run --release -p eagre-wal --example amplification [DIRECTORY]`

use std::{error::Error, fs, os::unix::fs::MetadataExt, path::Path};

use eagre_wal::{Backend, FRAME_HEADER_BYTES, Fsync, Kind, Log, Options};
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{major, minor},
};

const KIB: u64 = 1024;
const ROUNDS: usize = 5;
/// Of one round.
const COMMITS_MAX: u64 = 1000;
const BYTES_MAX: u64 = 24 * KIB * KIB;
/// All rounds of one size together fit one segment.
const SEGMENT_BYTES: u64 = 256 * KIB * KIB;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = match std::env::args_os().nth(1) {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    let device = device_stat(dir.path())?;
    println!("commit KiB  device/committed  charged/committed");
    for commit_bytes in [4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 1024 * KIB] {
        let options = Options { segment_bytes: SEGMENT_BYTES, backend: Backend::Ring, ..Options::default() };
        let mut log = Log::open(&dir.path().join(commit_bytes.to_string()), options)?.0;
        while log.usage().spares == 0 || !log.is_idle() {
            wait(&mut log)?;
        }
        let mut least = (f64::MAX, f64::MAX);
        for _ in 0..ROUNDS {
            let begun = (log.end(), written_sectors(&device)? * 512, charged_bytes()?);
            for _ in 0..COMMITS_MAX.min(BYTES_MAX / commit_bytes) {
                commit(&mut log, commit_bytes)?;
            }
            let committed = (log.end() - begun.0) as f64;
            let device_bytes = (written_sectors(&device)? * 512 - begun.1) as f64;
            let charged = (charged_bytes()? - begun.2) as f64;
            least = (least.0.min(device_bytes / committed), least.1.min(charged / committed));
        }
        println!("{:>10}  {:>16.2}  {:>17.2}", commit_bytes / KIB, least.0, least.1);
    }
    Ok(())
}

/// One record up to 4 KiB, else as many of 4 KiB as make up the batch; waits
/// until they are on the disk.
fn commit(log: &mut Log, bytes: u64) -> Result<(), Box<dyn Error>> {
    let body = vec![7; (4 * KIB - FRAME_HEADER_BYTES) as usize];
    for _ in 0..bytes / (4 * KIB) {
        log.append(Kind(16), 0, Fsync::Always, &[&body])?;
    }
    log.submit()?;
    while log.durable() < log.end() {
        wait(log)?;
    }
    Ok(())
}

fn wait(log: &mut Log) -> Result<(), Box<dyn Error>> {
    poll(&mut [PollFd::new(&log.event_fd(), PollFlags::IN)], None)?;
    Ok(log.poll()?)
}

/// The counters of the device that holds a directory.
fn device_stat(dir: &Path) -> Result<String, Box<dyn Error>> {
    let device = fs::metadata(dir)?.dev();
    let path = format!("/sys/dev/block/{}:{}/stat", major(device), minor(device));
    fs::metadata(&path).map_err(|error| format!("{path}: {error}; name a directory on a block device"))?;
    Ok(path)
}

/// The seventh field, always in units of 512 bytes.
fn written_sectors(stat: &str) -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string(stat)?;
    Ok(text.split_whitespace().nth(6).ok_or("the device has no counter of sectors written")?.parse()?)
}

fn charged_bytes() -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/io")?;
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(line.ok_or("/proc/self/io tells no write_bytes")?.parse()?)
}
