//! Bounds that the schemas set. Upstream sets none; an API server takes a rule only if
//! the length of what it looks at is bounded, so each is far above what works.

/// Characters of a duration. `P1Y1M1W1DT1H1M1.000000001S` has 27.
pub(crate) const DURATION_CHARS_MAX: u32 = 64;

/// Characters of a URI: what a snapshot carries.
pub(crate) const URI_CHARS_MAX: u32 = 8 << 10;

/// Entries of `spec.filters`.
pub(crate) const FILTERS_MAX: u32 = 256;

/// Attributes of one filter. An event has a handful.
pub(crate) const ATTRIBUTES_MAX: u32 = 64;

/// Steps of a Sequence, branches of a Parallel: each is a channel and two subscriptions.
pub(crate) const STEPS_MAX: u32 = 256;

/// Entries of `spec.from` and `spec.to` of a policy.
pub(crate) const POLICY_ENTRIES_MAX: u32 = 256;

/// Characters of a subject: ServiceAccounts have up to 350.
pub(crate) const SUBJECT_CHARS_MAX: u32 = 1024;
