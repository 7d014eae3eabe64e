//! What happened in a simulation, call by call: a hash that two runs of a seed
//! share, and the lines themselves for a reader.

use std::fmt::{self, Write};

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// Every call to the log and to the disk, with its result.
#[derive(Clone, Debug)]
pub struct Trace {
    hash: u64,
    prints: bool,
}

impl Trace {
    /// A trace that is only hashed.
    #[must_use]
    pub fn hashed() -> Self {
        Self { hash: FNV_OFFSET, prints: false }
    }

    /// A trace whose lines go to the standard output.
    #[must_use]
    pub fn printed() -> Self {
        Self { prints: true, ..Self::hashed() }
    }

    /// FNV-1a of all lines so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn line(&mut self, line: fmt::Arguments) {
        if self.prints {
            println!("{line}");
        }
        // Hashing cannot fail, and neither can the types that are traced.
        let _ = writeln!(self, "{line}");
    }
}

impl Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
        Ok(())
    }
}
