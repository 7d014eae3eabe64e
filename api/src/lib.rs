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

pub mod names;
pub mod reference;
pub mod status;
