//! How long a restart takes with a backlog.
//!
//! `cargo run --release -p eagre-wal --example restart [DIRECTORY] [GIB]`

use std::{error::Error, time::Instant};

use eagre_wal::{Cursor, Fsync, Kind, Log, Options, Place};

static BODY: [u8; 64 * 1024] = [7; 64 * 1024];

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let dir = match args.next() {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    let gib: u64 = args.next().map_or(Ok(10), |text| text.parse())?;
    let options = Options { max_bytes: (gib + 1) << 30, ..Options::default() };
    let mut log = Log::open(dir.path(), options.clone())?.0;
    log.register(1, Place::Here, &Cursor::default())?;
    while log.end().0 < gib << 30 {
        match log.append(Kind(16), 0, Fsync::Never, &[&BODY]) {
            Ok(_) => {}
            Err(error) if error.is_full() => std::thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
        log.submit()?;
        log.poll()?;
    }
    while !log.is_idle() {
        log.poll()?;
    }
    drop(log);
    for _ in 0..5 {
        let begun = Instant::now();
        let (log, recovery) = Log::open(dir.path(), options.clone())?;
        println!(
            "{} records, {} segments: open in {:?}",
            recovery.records,
            log.usage().segments,
            begun.elapsed()
        );
    }
    Ok(())
}
