//! Making room: what only triggers still need that are far behind is moved out of
//! the oldest segment, so that the segment can go.
//!
//! Here is what the logs know of it: whether it is needed, up to where, and the
//! copy. Who needs what is asked of the deliveries (`shard::clean`).

use std::rc::Rc;

use eagre_snapshot::Id;
use eagre_wal::AppendError;

use super::{BacklogPosition, Left, Offset, Store, Stored, backlog::Backlog};
use crate::{limits::wal::FREE_PART, runtime::time};

/// The backlog that events go to.
pub(crate) struct Destination(Rc<Backlog>);

impl Destination {
    /// Where the events will lie, at the earliest.
    pub(crate) fn end(&self) -> BacklogPosition {
        BacklogPosition { broker: self.0.broker, at: self.0.log.end() }
    }
}

impl Store {
    /// The end of the oldest segment, if the log needs its space and what holds it
    /// is that triggers are at `low_mark`.
    pub(crate) fn to_free(&self, low_mark: impl FnOnce() -> Offset) -> Option<Offset> {
        let usage = self.log.usage();
        let free = usage.max_bytes.saturating_sub(usage.bytes - usage.retained_bytes);
        if free >= (usage.max_bytes / FREE_PART).max(self.settings.log.segment_bytes) {
            return None;
        }
        let end = self.log.oldest_end()?;
        // Triggers that nobody has registered may be needed again: then theirs
        // must be there, where they left it.
        let everyone_is_known = self.in_force.everywhere() && self.unregistered().is_empty();
        (everyone_is_known && self.backlogs.have_room() && low_mark().0 < end).then_some(Offset(end))
    }

    /// Bytes of events that are moved at once.
    pub(crate) fn piece_bytes(&self) -> usize {
        self.backlogs.piece_bytes() as usize
    }

    /// The backlog of `broker`, made if need be; `None` if that is not possible
    /// now. Events are expected there until [`Store::move_to`] has ended.
    pub(crate) async fn destination(&self, broker: Id) -> Option<Destination> {
        if self.removing.get() {
            return None;
        }
        let backlog = self.backlogs.get_or_make(broker).await?;
        backlog.arriving.set(true);
        Some(Destination(backlog))
    }

    /// Copies events to a backlog, durably, and gives where each lies. For
    /// `newcomers` they are the first there.
    pub(crate) async fn move_to(
        &self,
        Destination(backlog): Destination,
        newcomers: &[Id],
        left: &[Left],
    ) -> Option<Vec<(Offset, BacklogPosition)>> {
        let moved = copy(&backlog, newcomers, left).await;
        // Those who went meanwhile must not hold it.
        for gone in newcomers.iter().filter(|id| !self.is_registered(**id)) {
            backlog.log.forget(gone.0);
        }
        backlog.arriving.set(false);
        moved
    }
}

async fn copy(backlog: &Backlog, newcomers: &[Id], left: &[Left]) -> Option<Vec<(Offset, BacklogPosition)>> {
    let (mut at, stored) = append(backlog, newcomers, left).await?;
    backlog.log.committed(stored).await;
    let mut moved = Vec::with_capacity(left.len());
    for left in left {
        let entry = backlog.log.read(at)?;
        at = entry.next;
        moved.push((left.event.offset, BacklogPosition { broker: backlog.broker, at: entry.lsn }));
    }
    if let Some((last, _)) = moved.last() {
        backlog.take_over(*last);
    }
    Some(moved)
}

/// Appends to the backlog, and waits while it makes room.
async fn append(backlog: &Backlog, newcomers: &[Id], left: &[Left]) -> Option<(eagre_wal::Lsn, Stored)> {
    for _ in 0..ROOM_ATTEMPTS {
        match backlog.append(newcomers, left) {
            Ok(appended) => return Some(appended),
            Err(AppendError::Full(_)) => time::sleep(ROOM_PAUSE).await,
            Err(AppendError::TooLarge { bytes, .. }) if backlog.log.make_fit(bytes as usize) => {}
            Err(error) => {
                tracing::error!("cannot move events to a backlog: {error}");
                return None;
            }
        }
    }
    tracing::warn!(broker = %backlog.broker, "the backlog has no room; the log keeps what its triggers still need");
    None
}

/// Time for the next segment to be prepared, on a slow disk.
const ROOM_ATTEMPTS: u32 = 1000;
const ROOM_PAUSE: std::time::Duration = std::time::Duration::from_millis(2);
