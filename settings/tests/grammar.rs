//! What the grammars take and refuse, and that canonical texts read as they were
//! written.

use std::time::Duration;

use eagre_settings::{BACKLOG_BYTES_RANGE, Fsync, duration, size};

fn fsync(text: &str) -> Result<Fsync, String> {
    text.parse::<Fsync>().map_err(|error| error.problem)
}

#[test]
fn canonical_texts_are_read_as_they_are_written() {
    for text in ["0ms", "1ms", "1500ms", "10s", "5m", "24h"] {
        assert_eq!(duration::text(duration::parse(text).unwrap()), text);
    }
    for text in ["0B", "7B", "1000B", "4KiB", "64MiB", "10GiB", "2560MiB", "1TiB", "1PiB", "8EiB"] {
        assert_eq!(size::text(size::parse(text).unwrap()), text);
    }
    for text in ["always", "never", "interval:1", "interval:60000"] {
        assert_eq!(fsync(text).unwrap().to_string(), text);
    }
}

#[test]
fn binary_units_are_powers_of_1024_and_decimal_ones_of_1000() {
    let binary = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];
    for (unit, shift) in binary {
        assert_eq!(size::parse(&format!("3{unit}")), Ok(3 << shift), "{unit}");
        assert_eq!(size::parse(&format!("3{unit}B")), Ok(3 << shift), "{unit}B");
    }
    for (unit, power) in [("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)] {
        assert_eq!(size::parse(&format!("2{unit}")), Ok(2 * 10_u64.pow(power)), "{unit}");
    }
    assert_eq!((size::parse("7"), size::parse("7B")), (Ok(7), Ok(7)));
}

#[test]
fn space_around_number_and_unit_is_allowed() {
    assert_eq!(duration::parse(" 90000 ms "), Ok(Duration::from_secs(90)));
    assert_eq!(size::parse(" 64 MiB"), Ok(64 << 20));
    assert_eq!(fsync(" never "), Ok(Fsync::Never));
}

#[test]
fn an_interval_of_fsync_is_written_in_two_ways() {
    assert_eq!(fsync("interval:5"), Ok(Fsync::Interval { ms: 5 }));
    assert_eq!(fsync("5ms"), Ok(Fsync::Interval { ms: 5 }));
    assert_eq!(fsync("2s"), Ok(Fsync::Interval { ms: 2000 }));
}

#[test]
fn what_is_not_of_the_grammar_is_refused_with_what_is() {
    for text in ["", "s", "10", "-1s", "+5ms", "1.5s", "10 sec", "5 MS", "1d"] {
        let error = duration::parse(text).unwrap_err();
        assert_eq!(error.problem, "not a duration", "{text}");
        assert!(error.to_string().contains("ms, s, m or h"), "{error}");
    }
    for text in ["", "MiB", "1MB", "1KB", "-1", "1e6", "1.5Gi", "100m", "1BB", "1 B B", "1K", "1mi", "0x10"] {
        let error = size::parse(text).unwrap_err();
        assert_eq!(error.problem, "not a size", "{text}");
        assert!(error.to_string().contains("64MiB"), "{error}");
    }
    for text in ["", "sometimes", "Always", "5", "interval:", "interval:5ms", "interval:-1", "5 minutes"] {
        assert_eq!(fsync(text), Err("neither a mode nor a duration".into()), "{text}");
    }
}

#[test]
fn what_does_not_fit_is_refused_and_does_not_wrap() {
    for text in ["99999999999999999999s", "18446744073709551615h"] {
        assert_eq!(duration::parse(text).unwrap_err().problem, "more than can be counted", "{text}");
    }
    for text in ["18446744073709551616", "18446744073709551615KiB", "16EiB"] {
        assert_eq!(size::parse(text).unwrap_err().problem, "more than can be counted", "{text}");
    }
}

#[test]
fn what_is_out_of_range_is_refused_with_the_range() {
    for text in ["0ms", "interval:0", "60001ms", "2m"] {
        assert_eq!(fsync(text), Err("an interval must be between 1ms and 1m".into()), "{text}");
    }
    for text in ["0", "8388607", "1025TiB"] {
        let problem = size::parse_within(text, &BACKLOG_BYTES_RANGE).unwrap_err().problem;
        assert_eq!(problem, "must be between 8MiB and 1PiB", "{text}");
    }
    assert_eq!(size::parse_within("8Mi", &BACKLOG_BYTES_RANGE), Ok(8 << 20));
    assert_eq!(size::parse_within("1Pi", &BACKLOG_BYTES_RANGE), Ok(1 << 50));
}
