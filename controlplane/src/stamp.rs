//! A number for an object as it is in force, by which the controller knows that a
//! data plane has it just so.
//!
//! Made of what the API server says (UID, generation, addresses), not of the
//! snapshot's bytes, so that it is the same in neighbouring versions of the code.
//! It is part of what agents report ([`VERSION`]); a change of it is a change of that.

use eagre_snapshot::{Annotations, BrokerSettings, Id};
use xxhash_rust::xxh3::Xxh3;

use crate::manifest::Metadata;
use crate::outcome::Target;

/// Of the stamp's definition.
pub const VERSION: u32 = 1;

/// The stamp of a broker.
pub fn broker(metadata: &Metadata, settings: &BrokerSettings) -> u64 {
    let mut hash = Xxh3::new();
    object(&mut hash, metadata);
    text(&mut hash, &settings.fsync.map(|fsync| fsync.to_string()).unwrap_or_default());
    hash.update(&settings.backlog_bytes_max.unwrap_or(u64::MAX).to_le_bytes());
    hash.digest()
}

/// The stamp of a trigger: also of its broker's spec, whose delivery it may have.
pub fn trigger(metadata: &Metadata, broker: &Metadata, subscriber: &Target, sink: Option<&Target>) -> u64 {
    let mut hash = Xxh3::new();
    object(&mut hash, metadata);
    object(&mut hash, broker);
    text(&mut hash, &subscriber.endpoint.uri);
    text(&mut hash, sink.map_or("", |sink| &sink.endpoint.uri));
    hash.digest()
}

/// The stamps of many objects, as a few sums: an object is as wanted if the sum of
/// its bucket is. A power of two of them.
pub fn buckets(count: usize, stamps: impl IntoIterator<Item = (Id, u64)>) -> Vec<u64> {
    let mut sums = vec![0_u64; count.next_power_of_two()];
    for (id, stamp) in stamps {
        let at = bucket(sums.len(), id);
        // A sum and not an exclusive or, which two equal ones would leave.
        sums[at] = sums[at].wrapping_add(stamp);
    }
    sums
}

/// The bucket of an object among `count`.
pub fn bucket(count: usize, id: Id) -> usize {
    (id.0 % count as u64) as usize
}

fn object(hash: &mut Xxh3, metadata: &Metadata) {
    let Metadata { namespace, name, uid, generation, annotations, .. } = metadata;
    text(hash, uid.as_ref().map_or("", |uid| &uid.value));
    text(hash, namespace);
    text(hash, name);
    hash.update(&generation.to_le_bytes());
    annotation_texts(hash, annotations);
}

fn annotation_texts(hash: &mut Xxh3, annotations: &Annotations) {
    hash.update(&(annotations.len() as u64).to_le_bytes());
    for (name, value) in annotations {
        text(hash, name);
        text(hash, value);
    }
}

/// With its length, so that no two sequences of texts are the same bytes.
fn text(hash: &mut Xxh3, text: &str) {
    hash.update(&(text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
}
