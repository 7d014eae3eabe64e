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
use eagre_wal::{AppendError, Fsync, Full, Kind, OpenError, Options};

use super::{
    StoredEvent,
    commit::CommitLog,
    layout::{self, DEAD_LETTERS, Settings},
};
use crate::{
    canary::{Canary, planted},
    runtime::{disk, exit, task, time::unix_ms},
};

/// The kind of log records described here.
pub(super) const DEAD_LETTER: Kind = Kind(17);
const VERSION: u8 = 1;

/// What is told of an event that no sink took.
pub(crate) struct Reason<'a> {
    /// HTTP status of the last failure, if there was a response.
    pub(crate) code: Option<u16>,
    /// Where it was to go.
    pub(crate) destination: &'a str,
    /// What came back with the failure.
    pub(crate) data: &'a [u8],
}

/// What became of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is durable.
    Stored,
    /// The dead letters have no room for it.
    Full,
    /// The process is short of something, and the next try may succeed.
    NotNow,
}

/// Dead letters of one shard.
pub(super) struct DeadLetters {
    directory: PathBuf,
    options: Options,
    fsync: Fsync,
    log: RefCell<Opened>,
}

#[derive(Default)]
enum Opened {
    #[default]
    Not,
    /// Somebody is at it.
    Opening,
    Open(Rc<CommitLog>),
}

impl DeadLetters {
    /// A store that need not exist.
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            directory: settings.directory.join(DEAD_LETTERS),
            options: settings.dead_letters(),
            fsync: settings.fsync,
            log: RefCell::default(),
        }
    }

    /// Stores an event with the reason of its failure, durably.
    pub(super) async fn keep(&self, trigger: Id, reason: &Reason<'_>, event: &StoredEvent) -> Kept {
        let Some(log) = self.log().await else { return Kept::NotNow };
        let prefix = prefix(trigger, reason);
        let parts = [&prefix, reason.destination.as_bytes(), reason.data, event.bytes()];
        match log.append(DEAD_LETTER, unix_ms(), self.fsync, &parts) {
            Ok(stored) => {
                log.committed(stored).await;
                Kept::Stored
            }
            // What is being prepared or flushed is room in a moment, and what the
            // process is short of comes back.
            Err(AppendError::Full(Full::Preparing | Full::Pending | Full::NoResources(_))) => Kept::NotNow,
            Err(AppendError::TooLarge { bytes, .. }) if log.make_fit(bytes as usize) => Kept::NotNow,
            Err(error) => {
                tracing::warn!(directory = %self.directory.display(), "cannot keep a dead letter: {error}");
                Kept::Full
            }
        }
    }

    /// Resolves when all of them are on the disk: those too that a process left
    /// in the page cache which was killed, before this one had any.
    pub(super) async fn settled(&self) {
        let (Some(shard), Some(own)) = (self.directory.parent(), self.directory.file_name()) else { return };
        let is_there = disk::list(shard).is_ok_and(|names| names.iter().any(|name| own == name.as_str()));
        let log = if is_there && !planted(Canary::LettersLeft) { self.log().await } else { self.opened() };
        if let Some(log) = log {
            log.settled().await;
        }
    }

    /// The log if it was opened.
    pub(super) fn opened(&self) -> Option<Rc<CommitLog>> {
        match &*self.log.borrow() {
            Opened::Open(log) => Some(Rc::clone(log)),
            Opened::Not | Opened::Opening => None,
        }
    }

    /// The log, opened if need be; `None` if that is not possible now.
    async fn log(&self) -> Option<Rc<CommitLog>> {
        match &*self.log.borrow() {
            Opened::Open(log) => return Some(Rc::clone(log)),
            Opened::Opening => return None,
            Opened::Not => {}
        }
        *self.log.borrow_mut() = Opened::Opening;
        let (directory, options) = (self.directory.clone(), self.options.clone());
        let opened = task::blocking(move || layout::open(&directory, options)).await;
        let opened = match opened {
            Ok(Ok(log)) => Opened::Open(Rc::new(CommitLog::held(log))),
            Ok(Err(error @ (OpenError::Damaged { .. } | OpenError::FutureVersion { .. }))) => {
                tracing::error!("the dead letters cannot be read, stopping: {error}");
                exit::now(exit::DAMAGE)
            }
            Ok(Err(error)) => {
                tracing::error!("cannot open the log of dead letters: {error}");
                Opened::Not
            }
            Err(error) => {
                tracing::warn!("cannot open the log of dead letters now: no thread for it: {error}");
                Opened::Not
            }
        };
        *self.log.borrow_mut() = opened;
        let log = self.opened()?;
        log.start(|_| {});
        Some(log)
    }
}

fn prefix(trigger: Id, reason: &Reason<'_>) -> [u8; 16] {
    let mut prefix = [0; 16];
    prefix[0] = VERSION;
    prefix[2..4].copy_from_slice(&reason.code.unwrap_or(0).to_le_bytes());
    prefix[4..6].copy_from_slice(&(reason.destination.len() as u16).to_le_bytes());
    prefix[6..8].copy_from_slice(&(reason.data.len() as u16).to_le_bytes());
    prefix[8..].copy_from_slice(&trigger.0.to_le_bytes());
    prefix
}

/// A view of the body of such a record.
pub(super) struct Letter<'a> {
    pub(crate) trigger: Id,
    pub(crate) code: Option<u16>,
    pub(crate) destination: &'a str,
    pub(crate) data: &'a [u8],
    /// The event's log record.
    pub(crate) event: &'a [u8],
}

/// Splits a body; `None` if another version wrote it.
pub(super) fn parse(body: &[u8]) -> Option<Letter<'_>> {
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
