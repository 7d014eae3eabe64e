//! Match and append: the step that ingress and replies share.
//!
//! An event is judged here, once, by the configuration in force, and the
//! verdict is stored with it.

use eagre_event::Draft;
use eagre_wal::{AppendError, Cursor, Fsync, Place};

use crate::{
    clock,
    commit::{CommitLog, Stored},
    envelope::{self, EVENT},
    table::BrokerRoute,
};

/// Buffers that every event of a shard passes through.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) draft: Draft,
    matches: Vec<u32>,
    prefix: Vec<u8>,
}

/// Progress that is stored in one step with the event it led to.
pub(crate) struct Origin {
    pub(crate) consumer: u64,
    pub(crate) place: Place,
    pub(crate) cursor: Cursor,
}

impl Scratch {
    /// Matches the decoded and stamped event and puts it into the log's next
    /// batch.
    pub(crate) fn store(
        &mut self,
        log: &CommitLog,
        broker: &BrokerRoute,
        fsync: Fsync,
        body: &[u8],
        origin: Option<Origin>,
    ) -> Result<Stored, AppendError> {
        let Self { draft, matches, prefix } = self;
        write_prefix(draft, broker, matches, prefix);
        let [index, headers, payload] = draft.record_parts(body);
        let parts = [prefix.as_slice(), index, headers, payload];
        let now_ms = clock::now_ms();
        match origin {
            None => log.append(EVENT, now_ms, fsync, &parts),
            Some(Origin { consumer, place, cursor }) => {
                log.append_with_cursor(now_ms, fsync, (consumer, place, cursor), (EVENT, &parts))
            }
        }
    }

    /// The event's log record in one piece, for a batch that is stored
    /// together.
    pub(crate) fn render(&mut self, draft: &mut Draft, broker: &BrokerRoute, body: &[u8]) -> Vec<u8> {
        let Self { matches, prefix, .. } = self;
        write_prefix(draft, broker, matches, prefix);
        let [index, headers, payload] = draft.record_parts(body);
        [prefix.as_slice(), index, headers, payload].concat()
    }
}

/// Judges the event and renders the verdict.
fn write_prefix(draft: &Draft, broker: &BrokerRoute, matches: &mut Vec<u32>, prefix: &mut Vec<u8>) {
    broker.matcher.matches(draft, matches);
    let ids = matches.iter().map(|slot| broker.slots[*slot as usize]);
    envelope::write_prefix(prefix, broker.broker.id, ids);
}
