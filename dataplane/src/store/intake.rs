//! Match and append: the step that ingress and replies share.
//!
//! An event is judged here, once, by the configuration in force, and the
//! verdict is stored with it.

use eagre_event::Draft;

use super::envelope;
use crate::config::table::BrokerRoute;

/// Buffers that every event of a shard passes through.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) draft: Draft,
    matches: Vec<u32>,
    prefix: Vec<u8>,
}

impl Scratch {
    /// Matches the decoded and stamped event and gives its log record, in parts.
    pub(super) fn judged<'a>(&'a mut self, broker: &BrokerRoute, body: &'a [u8]) -> [&'a [u8]; 4] {
        let Self { draft, matches, prefix } = self;
        write_prefix(draft, broker, matches, prefix);
        let [index, headers, payload] = draft.record_parts(body);
        [prefix.as_slice(), index, headers, payload]
    }

    /// The same in one piece, for a batch that is stored together.
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
