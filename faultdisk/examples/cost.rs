//! What the disk costs: synced writes a second, and the time of a power cut.
//!
//! `cargo run --release -p eagre-faultdisk --example cost`

use std::{fs::File, os::unix::fs::FileExt, time::Instant};

use eagre_faultdisk::{FaultDisk, Loss, Options};

const WRITES: u64 = 20_000;
const CUTS: u64 = 200;
/// Unsynced bytes before each cut.
const UNSYNCED_BYTES: usize = 4 * 1024 * 1024;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let mut disk = FaultDisk::new(Options::default());
    disk.mount(directory.path())?;

    let file = File::create(directory.path().join("file"))?;
    let began = Instant::now();
    for write in 0..WRITES {
        file.write_all_at(&[1; 4096], write % 1024 * 4096)?;
        file.sync_data()?;
    }
    let per_second = WRITES as f64 / began.elapsed().as_secs_f64();
    println!("synced writes of 4 KiB: {per_second:.0}/s");

    File::open(directory.path())?.sync_all()?;
    drop(file);
    let (mut spent, mut longest) = (0.0, 0f64);
    for seed in 0..CUTS {
        let file = File::options().write(true).open(directory.path().join("file"))?;
        file.write_all_at(&vec![2; UNSYNCED_BYTES], 0)?;
        let began = Instant::now();
        disk.power_cut(Loss::Random(seed))?;
        disk.mount(directory.path())?;
        let seconds = began.elapsed().as_secs_f64();
        (spent, longest) = (spent + seconds, longest.max(seconds));
    }
    let mean_ms = spent / CUTS as f64 * 1e3;
    println!("power cut and mount: mean {mean_ms:.2} ms, longest {:.2} ms", longest * 1e3);
    Ok(())
}
