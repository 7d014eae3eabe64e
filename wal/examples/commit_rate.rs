//! Durable records a second, beside a bare loop of one WRITE and one FSYNC over
//! a file of zeros with batches of the same bytes: what the log adds to what the
//! disk takes.
//!
//! Each is measured twice: in bursts that begin with a segment standing ready, as
//! the bare loop's file does, and without a pause, where the log's disk also takes
//! the zeros that every segment is prepared with.
//!
//! `cargo run --release -p eagre-wal --example commit_rate [DIRECTORY]`
#![allow(unsafe_code)] // The bare loop drives io_uring itself.

use std::{
    error::Error,
    fs::File,
    io::Write,
    os::fd::AsRawFd,
    path::Path,
    time::{Duration, Instant},
};

use eagre_wal::{Backend, FRAME_HEADER_BYTES, Fsync, Kind, Log, Options};
use io_uring::{IoUring, opcode, types};
use rustix::event::{PollFd, PollFlags, poll};

const BODY_BYTES: usize = 1024;
const FRAME_BYTES: usize = BODY_BYTES + FRAME_HEADER_BYTES as usize;
/// Bytes of a segment, and of the bare loop's file, without a pause.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of both for bursts: most of them end before the next segment is prepared.
const LARGE_SEGMENT_BYTES: u64 = 512 * 1024 * 1024;
/// One measurement; the two loops take turns.
const TURN: Duration = Duration::from_millis(500);
const TURNS: usize = 9;
/// A burst.
const BURST_BYTES: usize = 48 * 1024 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = match std::env::args_os().nth(1) {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    println!("waiters  mode        log records/s  bare records/s  log/bare");
    for waiters in [1, 16, 256, 1024] {
        let burst = ("burst", BURST_BYTES, LARGE_SEGMENT_BYTES);
        for (mode, bytes_max, segment_bytes) in [burst, ("sustained", usize::MAX, SEGMENT_BYTES)] {
            let records_max = bytes_max / FRAME_BYTES;
            let log_dir = dir.path().join("log");
            let mut log = LogLoop::open(&log_dir, segment_bytes)?;
            let mut bare = BareLoop::open(&dir.path().join("bare"), segment_bytes)?;
            let mut rates = Vec::new();
            for _ in 0..TURNS {
                log.prepared()?;
                let log_rate = rate(waiters, records_max, || log.round(waiters))?;
                log.prepared()?;
                let bare_rate = rate(waiters, records_max, || bare.round(waiters))?;
                rates.push((log_rate / bare_rate, log_rate, bare_rate));
            }
            rates.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (ratio, log_rate, bare_rate) = rates[TURNS / 2];
            println!(
                "{waiters:>7}  {mode:<10}  {log_rate:>13.0}  {bare_rate:>14.0}  {:>6.1} %",
                100.0 * ratio
            );
        }
    }
    Ok(())
}

/// Records a second over one turn.
fn rate(
    waiters: usize,
    records_max: usize,
    mut round: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    let begun = Instant::now();
    let mut records = 0;
    while begun.elapsed() < TURN && records < records_max {
        round()?;
        records += waiters;
    }
    Ok(records as f64 / begun.elapsed().as_secs_f64())
}

struct LogLoop {
    log: Log,
    body: Vec<u8>,
}

impl LogLoop {
    fn open(dir: &Path, segment_bytes: u64) -> Result<Self, Box<dyn Error>> {
        let options = Options { segment_bytes, backend: Backend::Ring, ..Options::default() };
        Ok(Self { log: Log::open(dir, options)?.0, body: vec![7; BODY_BYTES] })
    }

    /// Every waiter appends one record and waits until it is durable.
    fn round(&mut self, waiters: usize) -> Result<(), Box<dyn Error>> {
        let mut appended = 0;
        while appended < waiters {
            match self.log.append(Kind(16), 0, Fsync::Always, &[&self.body]) {
                Ok(_) => appended += 1,
                Err(error) if error.is_full() => {
                    self.log.submit()?;
                    self.wait()?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.log.submit()?;
        while self.log.durable() < self.log.end() {
            self.wait()?;
        }
        self.log.release(0);
        Ok(())
    }

    /// Waits until the next segment stands ready.
    fn prepared(&mut self) -> Result<(), Box<dyn Error>> {
        while self.log.usage().spares == 0 {
            self.wait()?;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Box<dyn Error>> {
        poll(&mut [PollFd::new(&self.log.event_fd(), PollFlags::IN)], None)?;
        Ok(self.log.poll()?)
    }
}

struct BareLoop {
    ring: IoUring,
    file: File,
    bytes: Vec<u8>,
    file_bytes: u64,
    offset: u64,
}

impl BareLoop {
    fn open(path: &Path, file_bytes: u64) -> Result<Self, Box<dyn Error>> {
        let mut file = File::create(path)?;
        for _ in 0..file_bytes / (16 * 1024) {
            file.write_all(&[0; 16 * 1024])?;
        }
        file.sync_all()?;
        Ok(Self { ring: IoUring::new(2)?, file, bytes: vec![7; 1024 * FRAME_BYTES], file_bytes, offset: 0 })
    }

    fn round(&mut self, waiters: usize) -> Result<(), Box<dyn Error>> {
        let bytes = waiters * FRAME_BYTES;
        if self.offset + bytes as u64 > self.file_bytes {
            self.offset = 0;
        }
        let fd = types::Fd(self.file.as_raw_fd());
        let write = opcode::Write::new(fd, self.bytes.as_ptr(), bytes as u32).offset(self.offset).build();
        let sync = opcode::Fsync::new(fd).flags(types::FsyncFlags::DATASYNC).build();
        for (entry, expected) in [(write, bytes as i32), (sync, 0)] {
            // SAFETY: buffer and file belong to `self` and are not touched until
            // `submit_and_wait` has returned with the completion.
            unsafe { self.ring.submission().push(&entry)? };
            self.ring.submit_and_wait(1)?;
            let result = self.ring.completion().next().ok_or("no completion")?.result();
            if result != expected {
                return Err(format!("{result} where {expected} was expected").into());
            }
        }
        self.offset += bytes as u64;
        Ok(())
    }
}
