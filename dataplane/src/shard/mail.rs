//! Messages into a shard.

use std::{sync::Arc, time::Instant};

use crate::{
    ingress::census::Member,
    runtime::{net::Accepted, notify::Mailbox},
};

/// What other threads tell a shard.
pub(crate) enum Mail {
    /// Serve this connection.
    Connection(Accepted, Member),
    /// A new table is in the swap.
    Table,
    /// Stop by this time.
    Drain(Instant),
}

/// The mailboxes of all shards.
#[derive(Clone)]
pub(crate) struct Post(Arc<[Mailbox<Mail>]>);

impl Post {
    /// Empty mailboxes for `shards` shards.
    pub(crate) fn new(shards: usize) -> Self {
        Self((0..shards).map(|_| Mailbox::new(MAILS_MAX)).collect())
    }

    /// Number of shards.
    pub(crate) fn shards(&self) -> usize {
        self.0.len()
    }

    /// Sends to one shard, or gives the message back when its mailbox is full.
    pub(crate) fn send(&self, shard: usize, mail: Mail) -> Result<(), Mail> {
        self.0[shard].send(mail)
    }

    /// The mailbox of one shard.
    pub(crate) fn mailbox(&self, shard: usize) -> &Mailbox<Mail> {
        &self.0[shard]
    }
}

/// Connections that may wait for a busy shard; more stay where they were
/// accepted.
const MAILS_MAX: usize = 1024;
