//! The form in which a section of `eagre.toml` is declared.
//!
//! ```text
//! section! {
//!     /// What the section is about.
//!     [name] Type (argument: ArgumentType)
//!
//!     /// What the key sets, and the reason for default and range.
//!     key: u64 as usize = 64 * KIB, in 4 * KIB..=256 * KIB;
//!
//!     /// A key whose default is computed, from the argument or from keys above it.
//!     other: u64 = 2 * key as u64, unset "twice `key`", like 128 * KIB;
//! }
//! ```
//! The type of a key is its [`Written`](super::written::Written) kind: `u64` is a size, `usize` a
//! count. Out of this come the struct with a field per key, `read`, which takes the
//! section out of a document, and `keys`, from which sample, documentation and help are
//! made. A key takes effect at the next start unless its declaration ends in `, applies live`.

use super::written::Written;

/// A key as people are told about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The key without its section.
    pub name: &'static str,
    /// What kind of value it has.
    pub kind: &'static str,
    /// The value where it is left out.
    pub default: Default,
    /// The least and the most, where there are bounds.
    pub range: Option<(String, String)>,
    /// When a change takes effect.
    pub applies: Applies,
    /// What it sets, and why default and range are as they are.
    pub reason: &'static str,
}

/// What holds where a key is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Default {
    /// This value, as it is written in the file.
    Value(String),
    /// What depends on the machine or on other keys.
    Computed {
        /// In words.
        words: &'static str,
        /// A value that one might write.
        example: String,
    },
}

/// When a change of a key takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applies {
    /// When the process starts.
    AtStart,
    /// Once the file is saved.
    #[allow(dead_code, reason = "no key can be changed while shards run")]
    Live,
}

impl Default {
    pub(super) fn value<T: Written>(value: &T) -> Self {
        Default::Value(value.toml())
    }

    pub(super) fn computed<T: Written>(words: &'static str, example: &T) -> Self {
        Default::Computed { words, example: example.toml() }
    }
}

macro_rules! section {
    (@field $Value:ty) => { $Value };
    (@field $Value:ty, $Field:ty) => { $Field };

    (@take $document:ident $section:ident $key:ident $default:expr) => {
        $document.take(stringify!($section), stringify!($key), $default)
    };
    (@take $document:ident $section:ident $key:ident $default:expr, $range:expr) => {
        $document.take_within(stringify!($section), stringify!($key), $default, &$range)
    };

    (@default $Value:ty, $default:expr) => { Default::value::<$Value>(&$default) };
    (@default $Value:ty, $default:expr, $words:literal, $example:expr) => {
        Default::computed::<$Value>($words, &$example)
    };

    (@range $Value:ty) => { None };
    (@range $Value:ty, $range:expr) => {{
        let range: std::ops::RangeInclusive<$Value> = $range;
        Some((range.start().text(), range.end().text()))
    }};

    (@applies) => { Applies::AtStart };
    (@applies live) => { Applies::Live };

    (
        $(#[doc = $about:literal])+
        [$section:ident] $Section:ident $(($argument:ident: $Argument:ty))?

        $(
            $(#[doc = $reason:literal])+
            $key:ident: $Value:ty $(as $Field:ty)? = $default:expr
                $(, unset $words:literal, like $example:expr)?
                $(, in $range:expr)?
                $(, applies $live:ident)?;
        )+
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $Section {
            $(
                $(#[doc = $reason])+
                pub $key: section!(@field $Value $(, $Field)?),
            )+
        }

        impl $Section {
            /// Takes the section out of `document`.
            pub(super) fn read(
                document: &mut $crate::tuning::document::Document $(, $argument: $Argument)?
            ) -> Self {
                $( let $key = section!(@take document $section $key $default $(, $range)?) $(as $Field)?; )+
                Self { $($key),+ }
            }

            /// What the section is called, is about, and has for keys.
            pub(super) fn keys() -> (&'static str, &'static str, Vec<$crate::tuning::section::Key>) {
                use $crate::tuning::{section::{Applies, Default, Key}, written::Written};
                let keys = vec![$(
                    Key {
                        name: stringify!($key),
                        kind: <$Value as Written>::KIND,
                        default: section!(@default $Value, $default $(, $words, $example)?),
                        range: section!(@range $Value $(, $range)?),
                        applies: section!(@applies $($live)?),
                        reason: concat!($($reason),+).trim_ascii(),
                    }
                ),+];
                (stringify!($section), concat!($($about),+).trim_ascii(), keys)
            }
        }
    };
}

pub(super) use section;
