//! Where manifests come from: files today.
//!
//! A source yields the whole set of texts at a time and says when to look
//! again. What the texts mean is not its business.

pub mod files;
pub mod watch;
