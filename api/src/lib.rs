//! The Kubernetes kinds that Eagre serves, as Rust types.
//!
//! Promise: what is written from these types, upstream's webhook takes, which decodes
//! a status strictly: no field is there that upstream's types lack.
//!
//! Owned: the fields of each kind and their names, the groups, versions, labels and
//! annotations around them.
//!
//! Deliberately absent: what a condition means and when it changes, which is the
//! controller's; a client; the manifest reader of file mode, which names the line and
//! column of a mistake and so reads YAML for itself (`controlplane/src/manifest/`).

#![allow(clippy::duplicated_attributes, reason = "every printed column of a kind has a name and a type")]

pub mod names;
mod limits;
mod rules;
mod schema;

pub mod reference;
pub mod status;
pub mod spec;

pub mod eventing;
pub mod messaging;
pub mod flows;

pub mod crds;
pub mod admission;
