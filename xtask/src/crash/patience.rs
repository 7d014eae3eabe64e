//! How long the trials wait for what has to happen. No trial judges by the clock: these
//! bounds tell a hang from a machine that does other things, and nothing else.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// Whatever stands still for so long hangs.
pub const HANG_MAX: Duration = Duration::from_secs(60);

/// Between two looks.
const POLL: Duration = Duration::from_millis(2);

/// A wait for something that makes progress.
#[derive(Debug)]
pub struct Patience {
    progress: usize,
    since: Instant,
}

impl Patience {
    /// It begins now, and nothing has happened yet.
    pub fn new() -> Self {
        Self { progress: 0, since: Instant::now() }
    }

    /// Since when there was no progress; a change of `progress`, either way, is some.
    pub fn still_for(&mut self, progress: usize) -> Duration {
        if progress != self.progress {
            *self = Self { progress, since: Instant::now() };
        }
        self.since.elapsed()
    }

    /// Nothing moves any more.
    pub fn is_over(&mut self, progress: usize) -> bool {
        self.still_for(progress) > HANG_MAX
    }
}

/// Waits until the condition holds.
///
/// # Errors
/// It never does, or cannot be told.
pub fn until(what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + HANG_MAX;
    while !condition()? {
        if Instant::now() > deadline {
            bail!("it did not come about in {HANG_MAX:?} that {what}");
        }
        thread::sleep(POLL);
    }
    Ok(())
}
