//! The index: all filters of a broker in one structure.
//!
//! Each trigger is found by keys that its filter makes necessary (`keys`),
//! through one table per attribute (`table`); what the keys do not settle is
//! judged for the found ones only, each distinct condition once an event
//! (`nodes`).

mod keys;
mod matcher;
mod memory;
mod names;
mod nodes;
mod table;

pub use matcher::Matcher;
