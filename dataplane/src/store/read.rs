//! What comes out: durable events, by position, within a budget.

use crate::canary::{Canary, planted};

use std::ops::ControlFlow;

use eagre_snapshot::Id;

use super::{BacklogPosition, Budget, Location, Offset, Store, StoredEvent, event};

/// How far a scan came.
pub(crate) struct Scanned<P> {
    /// Where to go on.
    pub(crate) next: P,
    /// Nothing durable is left behind it.
    pub(crate) at_end: bool,
}

impl Store {
    /// Every event below is durable.
    pub(crate) fn durable(&self) -> Offset {
        Offset(self.log.durable())
    }

    /// Resolves when [`durable`](Self::durable) has moved. One task may wait.
    pub(crate) async fn advanced(&self) {
        self.advanced.notified().await;
    }

    /// Shows the durable events from `from` on that are below `to`, until `visit`
    /// breaks or the budget is spent.
    pub(crate) fn scan(
        &self,
        from: Offset,
        to: Offset,
        budget: &mut Budget,
        mut visit: impl FnMut(StoredEvent) -> ControlFlow<()>,
    ) -> Scanned<Offset> {
        let mut next = from;
        while !budget.is_spent() {
            let entry = if next < to { self.log.read(next.0).filter(|entry| entry.lsn < to.0) } else { None };
            let Some(entry) = entry else { return Scanned { next: next.max(to), at_end: true } };
            budget.take(entry.body.len());
            let event = match StoredEvent::of_log(&entry) {
                Ok(event) => event,
                Err(_) if planted(Canary::UnknownPassedOver) => {
                    next = Offset(entry.next);
                    continue;
                }
                Err(unknown) => unknown.stop(),
            };
            if visit(event).is_break() {
                break;
            }
            next = Offset(entry.next);
        }
        Scanned { next, at_end: false }
    }

    /// As [`scan`](Self::scan), for figures: it ends before what this version does
    /// not know, and leaves that to whoever is to deliver it.
    pub(crate) fn survey(
        &self,
        from: Offset,
        to: Offset,
        budget: &mut Budget,
        mut visit: impl FnMut(StoredEvent),
    ) -> Scanned<Offset> {
        let mut next = from;
        while !budget.is_spent() {
            let entry = self.log.read(next.0).filter(|entry| entry.lsn < to.0);
            let Some((entry, event)) =
                entry.and_then(|entry| Some((entry.next, StoredEvent::of_log(&entry).ok()?)))
            else {
                return Scanned { next: to, at_end: true };
            };
            budget.take(event.bytes().len());
            visit(event);
            next = Offset(entry);
        }
        Scanned { next, at_end: false }
    }

    /// The same of a backlog, each event with where it lies.
    pub(crate) fn scan_backlog(
        &self,
        from: BacklogPosition,
        to: BacklogPosition,
        budget: &mut Budget,
        mut visit: impl FnMut(StoredEvent, BacklogPosition) -> ControlFlow<()>,
    ) -> Scanned<BacklogPosition> {
        let broker = from.broker;
        let Some(backlog) = self.backlogs.get(broker) else {
            event::stop(&format!("backlog {broker} is gone while a trigger reads it"), from.at)
        };
        let mut next = from.at;
        while !budget.is_spent() {
            let entry =
                if next < to.at { backlog.log.read(next).filter(|entry| entry.lsn < to.at) } else { None };
            let Some(entry) = entry else {
                return Scanned { next: BacklogPosition { broker, at: next.max(to.at) }, at_end: true };
            };
            budget.take(entry.body.len());
            let here = BacklogPosition { broker, at: entry.lsn };
            let event = StoredEvent::of_backlog(&entry).unwrap_or_else(|unknown| unknown.stop());
            if visit(event, here).is_break() {
                break;
            }
            next = entry.next;
        }
        Scanned { next: BacklogPosition { broker, at: next }, at_end: false }
    }

    /// Every event of the backlog of `broker` that lies below is durable.
    pub(crate) fn durable_in(&self, broker: Id) -> Option<BacklogPosition> {
        self.backlogs.get(broker).map(|backlog| BacklogPosition { broker, at: backlog.log.durable() })
    }

    /// The event at a location. One that is owed to a trigger and cannot be read
    /// is never finished: the process ends.
    pub(crate) fn event(&self, Location { offset, moved }: Location) -> StoredEvent {
        let found = match moved {
            None => {
                let entry = self.log.read(offset.0).filter(|entry| entry.lsn == offset.0);
                entry.map(|entry| StoredEvent::of_log(&entry).unwrap_or_else(|unknown| unknown.stop()))
            }
            Some(BacklogPosition { broker, at }) => {
                let event = self.backlogs.get(broker).and_then(|backlog| backlog.event(at));
                event.filter(|event| event.offset == offset)
            }
        };
        found.unwrap_or_else(|| {
            let place = moved.map_or_else(|| "the log".to_owned(), |moved| moved.to_string());
            event::stop(&format!("an event that is still to be delivered is not at {place}"), offset.0)
        })
    }

    /// The event lies in its broker's backlog as far as anybody needs it, and is
    /// not to be read from the shard's log.
    pub(crate) fn is_moved(&self, event: &StoredEvent) -> bool {
        !self.backlogs.is_empty()
            && self.backlogs.get(event.broker()).is_some_and(|backlog| backlog.has_taken(event.offset))
    }

    /// When the oldest of what `trigger` has not finished was accepted, by where
    /// that lies; Unix milliseconds.
    pub(crate) fn accepted_ms(&self, offset: Offset) -> Option<u64> {
        self.log.read(offset.0).map(|entry| entry.time_ms)
    }

    /// Identity and time of the first event at or behind a position of a backlog.
    pub(crate) fn first_of_backlog(&self, at: BacklogPosition) -> Option<(Offset, u64)> {
        let entry = self.backlogs.get(at.broker)?.log.read(at.at)?;
        StoredEvent::of_backlog(&entry).ok().map(|event| (event.offset, event.time_ms))
    }
}
