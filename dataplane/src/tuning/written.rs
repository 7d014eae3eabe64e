//! The kinds of values that `eagre.toml` has: how each is read, and written.

use std::time::Duration;

use clap::ValueEnum;
use eagre_settings::{Fsync, ValueError, duration, size};
use toml::de::{DeInteger, DeValue};

use crate::runtime::driver::Requested;

/// A type whose values stand in the file.
pub(super) trait Written: Sized {
    /// What tables call the kind.
    const KIND: &'static str;

    /// Reads what the file has.
    ///
    /// # Errors
    /// What is wrong and what may be written.
    fn read(value: &DeValue<'_>) -> Result<Self, String>;

    /// As people are told about it.
    fn text(&self) -> String;

    /// As it is written in the file.
    fn toml(&self) -> String {
        format!("\"{}\"", self.text())
    }
}

/// A number of bytes.
impl Written for u64 {
    const KIND: &'static str = "size";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::Integer(integer) => whole(integer),
            DeValue::String(text) => size::parse(text).map_err(told),
            other => Err(format!("{} is no size; {}", other.type_str(), size::FORMS)),
        }
    }

    fn text(&self) -> String {
        size::text(*self)
    }
}

/// A count.
impl Written for usize {
    const KIND: &'static str = "count";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::Integer(integer) => whole(integer).map(|count| count as usize),
            other => Err(format!("{} is no count; write a whole number, such as 64", other.type_str())),
        }
    }

    fn text(&self) -> String {
        self.to_string()
    }

    fn toml(&self) -> String {
        self.text()
    }
}

impl Written for Duration {
    const KIND: &'static str = "duration";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::String(text) => duration::parse(text).map_err(told),
            other => Err(format!("{} is no duration; write it in quotes, as in \"10s\"", other.type_str())),
        }
    }

    fn text(&self) -> String {
        duration::text(*self)
    }
}

impl Written for Fsync {
    const KIND: &'static str = "fsync";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let forms = |error: ValueError| format!("{error}, or {{ interval_ms = 5 }}");
        let interval = |table: &toml::de::DeTable<'_>| match table.get("interval_ms")?.get_ref() {
            DeValue::Integer(ms) if table.len() == 1 => whole(ms).ok(),
            _ => None,
        };
        match value {
            DeValue::String(text) => text.parse().map_err(forms),
            DeValue::Table(table) if let Some(ms) = interval(table) => Fsync::interval(ms).map_err(forms),
            _ => Err(format!("not a mode; {}, or {{ interval_ms = 5 }}", Fsync::FORMS)),
        }
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Written for Requested {
    const KIND: &'static str = "driver";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let known = value.as_str().and_then(|text| Requested::from_str(text, false).ok());
        known.ok_or_else(|| {
            let names: Vec<_> = Requested::value_variants().iter().map(Requested::toml).collect();
            format!("not a driver; write {}", names.join(" or "))
        })
    }

    fn text(&self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// CPUs by their numbers.
impl Written for Vec<usize> {
    const KIND: &'static str = "list";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let list = value.as_array().ok_or("not a list; write numbers in brackets, as in [0, 1]")?;
        list.iter().map(|element| usize::read(element.get_ref())).collect()
    }

    fn text(&self) -> String {
        format!("{self:?}")
    }

    fn toml(&self) -> String {
        self.text()
    }
}

/// A key that has no value where it is left out.
impl<T: Written> Written for Option<T> {
    const KIND: &'static str = T::KIND;

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        T::read(value).map(Some)
    }

    fn text(&self) -> String {
        self.as_ref().map_or_else(String::new, T::text)
    }
}

fn whole(integer: &DeInteger<'_>) -> Result<u64, String> {
    u64::from_str_radix(integer.as_str(), integer.radix())
        .map_err(|_| format!("{integer} is negative or more than can be counted"))
}

fn told(error: ValueError) -> String {
    error.to_string()
}
