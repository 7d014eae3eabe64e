//! What a trigger asks for, as written: the syntax tree of every filter dialect.
//!
//! This is the shape that crosses from the control plane to the data plane. It
//! is data only: `validate` says whether it is well formed, `Matcher` makes it
//! fast.

use serde::{Deserialize, Serialize};

/// One filter of a trigger (contract sections 2.1 to 2.3).
///
/// A trigger's list of filters is an [`Filter::All`] of them. The outcome is
/// three-valued: pass, fail, or "no filter" (empty `all`, `any`, or an object
/// without a dialect), and only fail keeps an event away.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Filter {
    /// No condition at all: an empty filter object.
    Everything,
    /// Legacy `filter.attributes`: every pair must match; an empty value asks
    /// only that the attribute is present and not empty.
    Attributes(Vec<(String, String)>),
    /// Every attribute equals its value.
    Exact(Vec<(String, String)>),
    /// Every attribute starts with its value.
    Prefix(Vec<(String, String)>),
    /// Every attribute ends with its value.
    Suffix(Vec<(String, String)>),
    /// Every filter of the list passes.
    All(Vec<Filter>),
    /// At least one filter of the list passes.
    Any(Vec<Filter>),
    /// The filter does not pass.
    Not(Box<Filter>),
    /// A CloudEvents SQL v1 expression that is true without an error.
    Cesql(String),
}
