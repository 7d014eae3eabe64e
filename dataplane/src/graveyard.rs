//! The shard's own store of dead letters: events that no sink took.
//!
//! A log of its own beside the shard's, opened with the first dead letter, so
//! that a shard without them pays nothing. What is kept stays until an operator
//! decides: a cursor stands for the operator and does not move.
//!
//! The body of a record of kind 17:
//! ```text
//! offset  bytes  field
//!      0      1  version, 1
//!      1      1  zero
//!      2      2  HTTP status of the last failure, 0 for none
//!      4      2  d, bytes of the destination
//!      6      2  e, bytes of the failure's data
//!      8      8  id of the trigger
//!     16      d  destination (UTF-8)
//!   16+d      e  data
//! 16+d+e      …  the event's log record (`envelope`)
//! ```

use std::{cell::RefCell, path::PathBuf, rc::Rc};

use eagre_snapshot::Id;
use eagre_wal::{Fsync, Kind, Log, Options};

use crate::{clock, commit::CommitLog, delivery::deadletter::Failure, net};

/// The kind of log records described here.
pub(crate) const DEAD_LETTER: Kind = Kind(17);
const VERSION: u8 = 1;

/// Dead letters of one shard.
pub(crate) struct Graveyard {
    directory: PathBuf,
    options: Options,
    fsync: Fsync,
    log: RefCell<Option<Rc<CommitLog>>>,
}

impl Graveyard {
    /// A store in `directory`, which need not exist.
    pub(crate) fn new(directory: PathBuf, options: Options, fsync: Fsync) -> Self {
        Self { directory, options, fsync, log: RefCell::default() }
    }

    /// Stores the event's log record with the reason of its failure; true once
    /// that is durable, false when there is no room.
    pub(crate) async fn keep(&self, trigger: Id, failure: &Failure, event: &[u8]) -> bool {
        let Some(log) = self.log() else { return false };
        let prefix = prefix(trigger, failure);
        let parts = [&prefix, failure.destination.as_bytes(), &failure.data, event];
        match log.append(DEAD_LETTER, clock::now_ms(), self.fsync, &parts) {
            Ok(stored) => {
                log.committed(stored).await;
                true
            }
            Err(error) => {
                tracing::warn!(directory = %self.directory.display(), "cannot keep a dead letter: {error}");
                false
            }
        }
    }

    fn log(&self) -> Option<Rc<CommitLog>> {
        if let Some(log) = &*self.log.borrow() {
            return Some(Rc::clone(log));
        }
        let opened = std::fs::create_dir_all(&self.directory)
            .map_err(|error| error.to_string())
            .and_then(|()| Log::open(&self.directory, self.options.clone()).map_err(|e| e.to_string()));
        match opened {
            Ok((log, _)) => {
                // The operator stands for nobody else, and does not move.
                let log = Rc::new(CommitLog::held(log));
                let flushed = Rc::clone(&log);
                net::spawn(async move {
                    let error = flushed.flush(|_| {}).await;
                    tracing::error!("the log of dead letters cannot be watched: {error}");
                });
                *self.log.borrow_mut() = Some(Rc::clone(&log));
                Some(log)
            }
            Err(reason) => {
                tracing::error!(directory = %self.directory.display(), "cannot open the log of dead letters: {reason}");
                None
            }
        }
    }
}

fn prefix(trigger: Id, failure: &Failure) -> [u8; 16] {
    let mut prefix = [0; 16];
    prefix[0] = VERSION;
    prefix[2..4].copy_from_slice(&failure.code.unwrap_or(0).to_le_bytes());
    prefix[4..6].copy_from_slice(&(failure.destination.len() as u16).to_le_bytes());
    prefix[6..8].copy_from_slice(&(failure.data.len() as u16).to_le_bytes());
    prefix[8..].copy_from_slice(&trigger.0.to_le_bytes());
    prefix
}

/// A view of the body of such a record.
pub(crate) struct Letter<'a> {
    pub(crate) trigger: Id,
    pub(crate) code: Option<u16>,
    pub(crate) destination: &'a str,
    pub(crate) data: &'a [u8],
    /// The event's log record.
    pub(crate) event: &'a [u8],
}

/// Splits a body; `None` if another version wrote it.
pub(crate) fn parse(body: &[u8]) -> Option<Letter<'_>> {
    let (prefix, rest) = body.split_first_chunk::<16>()?;
    let (fixed, trigger) = prefix.split_last_chunk()?;
    let field = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
    let (destination, rest) = rest.split_at_checked(usize::from(field(4)))?;
    let (data, event) = rest.split_at_checked(usize::from(field(6)))?;
    (fixed[0] == VERSION).then_some(Letter {
        trigger: Id(u64::from_le_bytes(*trigger)),
        code: Some(field(2)).filter(|code| *code != 0),
        destination: str::from_utf8(destination).ok()?,
        data,
        event,
    })
}
