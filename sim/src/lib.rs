//! Deterministic simulation of the log.
//!
//! # What it promises
//!
//! One number, the seed, decides everything: how the log is set up, what is done
//! to it, which faults its disk has and when. The same seed gives the same trace,
//! on every machine. A seed that ends has held the log to this:
//!
//! - What was durable is there after any row of kills, losses of power and failed
//!   starts, as the mode of its append promises; what lies whole on the platter
//!   is there in any case.
//! - No record is there that was not appended, none is changed, none out of order.
//!   Groups are whole; a cursor comes with its record.
//! - Cursors are those of the last frame that survived, pending records included,
//!   and never outside of the log.
//! - After the first failure that is final nothing is confirmed, for good; missing
//!   space is no such failure, and service resumes.
//! - The log never takes more of the disk than it may.
//! - A log that has only crashed always opens again. One whose disk has lost or
//!   changed what was durable shows the rest, and names what is not there.
//!
//! # What it does not do
//!
//! It has no threads, no files, no clock and no randomness but the seed's. What
//! lies below [`eagre_wal::Storage`], names and syncs of real files, is tried with
//! real file systems by `cargo xtask crash`.
//!
//! # How to use it
//!
//! `cargo run -p eagre-sim -- --seeds 1000` runs many seeds, `--seed 7` one of
//! them with its whole trace.

mod random;
mod trace;
mod coverage;
mod faults;
mod file;
mod disk;
mod plan;
mod model;
mod run;
mod rot;
#[cfg(feature = "shard")]
mod world;
#[cfg(feature = "shard")]
pub mod shard;

pub use self::{
    coverage::{Branch, Coverage},
    disk::{Disk, State},
    faults::Faults,
    file::{File, PAGE_BYTES, SECTOR_BYTES},
    random::Random,
    run::{Outcome, run},
    trace::Trace,
};
