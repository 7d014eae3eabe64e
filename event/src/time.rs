//! Timestamps: the check of `time`, and the rendering of the arrival time.

use std::time::{SystemTime, UNIX_EPOCH};

/// Length of a rendered arrival time, as in `2026-06-17T10:00:00.123456789Z`.
pub(crate) const RENDERED_BYTES: usize = 30;

/// The last second that four digits of a year can express.
const SECONDS_MAX: u64 = 253_402_300_799;

/// Is this an RFC 3339 section 5.6 `date-time` of an existing day?
pub(crate) fn is_rfc3339(value: &[u8]) -> bool {
    let Some((date_time, rest)) = value.split_at_checked(19) else { return false };
    let number = |from: usize, to: usize| decimal(&date_time[from..to]);
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, byte)| date_time[*at] != *byte) || !matches!(date_time[10], b'T' | b't') {
        return false;
    }
    let (Some(year), Some(month), Some(day)) = (number(0, 4), number(5, 7), number(8, 10)) else {
        return false;
    };
    let (Some(hour), Some(minute), Some(second)) = (number(11, 13), number(14, 16), number(17, 19)) else {
        return false;
    };
    (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60 // a leap second
        && is_fraction_and_offset(rest)
}

fn is_fraction_and_offset(rest: &[u8]) -> bool {
    let offset = match rest {
        [b'.', fraction @ ..] => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            &fraction[digits..]
        }
        _ => rest,
    };
    match offset {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            decimal(&[*h1, *h2]).is_some_and(|hour| hour < 24)
                && decimal(&[*m1, *m2]).is_some_and(|minute| minute < 60)
        }
        _ => false,
    }
}

fn decimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Renders `at` in UTC with nanoseconds; clamped to the years 1970 to 9999.
pub(crate) fn render(at: SystemTime) -> [u8; RENDERED_BYTES] {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs().min(SECONDS_MAX);
    let (year, month, day) = civil_from_days((seconds / 86_400) as u32);
    let in_day = (seconds % 86_400) as u32;
    let mut out = *b"0000-00-00T00:00:00.000000000Z";
    put(&mut out[0..4], year);
    put(&mut out[5..7], month);
    put(&mut out[8..10], day);
    put(&mut out[11..13], in_day / 3_600);
    put(&mut out[14..16], in_day / 60 % 60);
    put(&mut out[17..19], in_day % 60);
    put(&mut out[20..29], since.subsec_nanos());
    out
}

fn put(digits: &mut [u8], mut number: u32) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day of a day counted from 1970-01-01 in the proleptic
/// Gregorian calendar. Years are taken to begin in March, so that the leap day
/// is the last of its year and months follow the 153-days-in-5-months rule.
fn civil_from_days(days: u32) -> (u32, u32, u32) {
    let days = days + 719_468; // from 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u32::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_rendering_agrees_with_a_calendar_library_on_every_day() {
        for day in 0..=(SECONDS_MAX / 86_400) {
            let seconds = day * 86_400 + day % 86_400;
            let ours = render(UNIX_EPOCH + Duration::new(seconds, 7));
            let theirs = jiff::Timestamp::from_second(seconds as i64);
            let Ok(theirs) = theirs else { break }; // the library ends a day earlier
            let theirs = format!("{}.000000007Z", theirs.strftime("%Y-%m-%dT%H:%M:%S"));
            assert_eq!(std::str::from_utf8(&ours).unwrap(), theirs);
            assert!(is_rfc3339(&ours));
        }
    }

    #[test]
    fn clocks_out_of_range_are_clamped() {
        let early = render(UNIX_EPOCH - Duration::from_secs(1));
        assert_eq!(&early, b"1970-01-01T00:00:00.000000000Z");
        let late = render(UNIX_EPOCH + Duration::from_secs(SECONDS_MAX + 86_400));
        assert_eq!(&late[..19], b"9999-12-31T23:59:59");
    }

    #[test]
    fn only_rfc_3339_passes() {
        for good in [
            "2026-11-21T12:00:00Z",
            "2026-11-21t12:00:00.1z",
            "2024-02-29T23:59:60+02:00",
            "2026-11-21T12:00:00.123456789012-23:59",
        ] {
            assert!(is_rfc3339(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "yesterday",
            "2026-11-21",
            "2026-11-21 12:00:00Z",
            "2026-11-21T12:00:00",
            "2026-11-21T12:00Z",
            "2026-11-21T12:00:00.Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T12:60:00Z",
            "2026-02-29T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-00-01T12:00:00Z",
            "2026-04-31T12:00:00Z",
            "2026-11-21T12:00:00+0200",
            "2026-11-21T12:00:00+24:00",
            "2026-11-21T12:00:00ZZ",
            "+026-11-21T12:00:00Z",
        ] {
            assert!(!is_rfc3339(bad.as_bytes()), "{bad}");
        }
    }
}
