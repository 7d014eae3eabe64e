//! Durations and sizes as people write them: `10s`, `5ms`, `64MiB`.

use std::time::Duration;

use super::Fsync;

/// Reads a duration: a whole number and one of `ms`, `s`, `m`, `h`.
///
/// # Errors
/// A sentence for the operator.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("`{text}` is not a duration; write a number and ms, s, m or h, as in 10s")),
    };
    let number: u64 = number.parse().map_err(|_| format!("`{text}` is not a duration; write, say, 10s"))?;
    number
        .checked_mul(unit_ms)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is longer than can be counted"))
}

/// Reads a size in bytes: a whole number, and `KiB`, `MiB`, `GiB` or nothing.
///
/// # Errors
/// A sentence for the operator.
pub fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let unit_bytes = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(format!("`{text}` is not a size; write bytes or KiB, MiB, GiB, TiB, as in 64MiB")),
    };
    let number: u64 = number.parse().map_err(|_| format!("`{text}` is not a size; write, say, 64MiB"))?;
    number.checked_mul(unit_bytes).ok_or_else(|| format!("`{text}` is more than can be counted"))
}

/// Reads `--fsync`: `always`, `never`, `interval:MS` or a duration.
///
/// # Errors
/// A sentence for the operator.
pub fn fsync(text: &str) -> Result<Fsync, String> {
    let interval = match text {
        "always" => return Ok(Fsync::Always),
        "never" => return Ok(Fsync::Never),
        _ => match text.strip_prefix("interval:") {
            Some(ms) => ms.parse().map(Duration::from_millis).map_err(|_| ()),
            None => duration(text).map_err(|_| ()),
        },
    };
    let allowed = crate::limits::wal::FSYNC_INTERVAL_RANGE;
    match interval {
        Ok(interval) if allowed.contains(&interval) => Ok(Fsync::Interval(interval)),
        Ok(_) => Err(format!(
            "an interval lies between {} and {}",
            duration_text(*allowed.start()),
            duration_text(*allowed.end())
        )),
        Err(()) => Err("write always, never, interval:MS, or a duration such as 5ms".into()),
    }
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// A duration in the largest unit that is exact.
pub(super) fn duration_text(value: Duration) -> String {
    let ms = value.as_millis();
    for (unit_ms, unit) in [(3_600_000, "h"), (60_000, "m"), (1_000, "s")] {
        if ms > 0 && ms.is_multiple_of(unit_ms) {
            return format!("{}{unit}", ms / unit_ms);
        }
    }
    format!("{ms}ms")
}

/// A size in the largest unit that is exact.
pub(super) fn bytes_text(value: u64) -> String {
    for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if value > 0 && value.trailing_zeros() >= shift {
            return format!("{}{unit}", value >> shift);
        }
    }
    format!("{value} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_read_as_written_and_write_as_read() {
        for text in ["1ms", "1500ms", "10s", "5m", "24h"] {
            assert_eq!(duration_text(duration(text).unwrap()), text);
        }
        for text in ["7 bytes", "4KiB", "64MiB", "10GiB", "1TiB"] {
            assert_eq!(bytes_text(bytes(text.trim_end_matches(" bytes")).unwrap()), text);
        }
        assert_eq!(duration("90s").unwrap(), duration("90000 ms").unwrap());
    }

    #[test]
    fn what_is_not_a_quantity_is_refused() {
        for text in ["", "s", "10", "-1s", "1.5s", "10 sec", "99999999999999999999s", "18446744073709551615h"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "MiB", "1MB", "-1", "1e6", "18446744073709551615KiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        for text in ["interval:", "interval:0", "0ms", "2m", "interval:5ms"] {
            assert!(fsync(text).is_err(), "{text}");
        }
    }
}
