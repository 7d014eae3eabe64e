//! Sizes in bytes: `64MiB`, `512Mi`, `2G`, `1048576`.
//!
//! `KiB` to `EiB`, and Kubernetes' `Ki` to `Ei` for the same, are powers of 1024;
//! Kubernetes' `k`, `M`, `G`, `T`, `P`, `E` are powers of 1000: `2Gi` is 2,147,483,648
//! bytes, `2G` is 2,000,000,000. `MB` is refused, because it is read as either.

use std::ops::RangeInclusive;

use crate::{
    ValueError,
    quantity::{self, Unit},
    within,
};

/// What may be written.
pub const FORMS: &str =
    "write a whole number of bytes, with a unit or without, such as 64MiB, 512Mi, 2G or 1048576";

/// The units of canonical texts.
const CANONICAL: &[Unit] = &[
    ("EiB", 1 << 60),
    ("PiB", 1 << 50),
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Kubernetes' units. Its `m`, a thousandth, has no use here.
const KUBERNETES: &[Unit] = &[
    ("", 1),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("Ei", 1 << 60),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000),
];

/// Reads a size.
///
/// # Errors
/// It is none.
pub fn parse(text: &str) -> Result<u64, ValueError> {
    quantity::parse(text, &[CANONICAL, KUBERNETES]).map_err(|flaw| flaw.told("not a size", FORMS))
}

/// Reads a size that lies in `allowed`.
///
/// # Errors
/// It is none, or lies outside.
pub fn parse_within(text: &str, allowed: &RangeInclusive<u64>) -> Result<u64, ValueError> {
    let bytes = parse(text)?;
    within(&bytes, allowed, |bytes| self::text(*bytes))
        .map_err(|problem| ValueError { problem, forms: FORMS })?;
    Ok(bytes)
}

/// The canonical text: in the largest unit that is exact.
#[must_use]
pub fn text(bytes: u64) -> String {
    quantity::text(bytes, CANONICAL)
}
