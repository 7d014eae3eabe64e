//! Files of other versions: neighbours are read, strangers refused by number.
//!
//! Golden files are written once, by the encoder of their version, and never
//! again.

mod support;

use eagre_snapshot::{DecodeError, FORMAT_MAJOR, FORMAT_MINOR, GRACE_MS_DEFAULT, Snapshot, decode, encode};
use support::everything;
use support::later::{next_minor, seal};

const GOLDEN_1: &[u8] = include_bytes!("golden/v1.snapshot");
const GOLDEN_2: &[u8] = include_bytes!("golden/v2.snapshot");
const GOLDEN_3_0: &[u8] = include_bytes!("golden/v3.0.snapshot");
const GOLDEN_3_1: &[u8] = include_bytes!("golden/v3.1.snapshot");
/// What `next_minor` made of `GOLDEN_3_1`.
const GOLDEN_3_2: &[u8] = include_bytes!("golden/v3.2-imagined.snapshot");

#[test]
fn this_version_stays_as_it_is() {
    assert_eq!(decode(GOLDEN_3_1), Ok((7, everything())));
    let encoded = encode(7, &everything()).unwrap();
    assert_eq!(encoded, GOLDEN_3_1, "another encoding needs another format version");
}

#[test]
fn a_file_of_the_minor_version_before_means_what_it_meant_then() {
    let mut then = everything();
    then.grace_ms = GRACE_MS_DEFAULT;
    then.brokers.iter_mut().for_each(|broker| broker.annotations.clear());
    then.triggers.iter_mut().for_each(|trigger| trigger.annotations.clear());
    assert_eq!(decode(GOLDEN_3_0), Ok((7, then)));
}

#[test]
fn of_a_file_of_the_next_minor_version_all_that_is_known_is_read() {
    assert_eq!(GOLDEN_3_2[8..12], [3, 0, 2, 0]);
    assert_eq!(decode(GOLDEN_3_2), Ok((7, everything())));
    assert_eq!(next_minor(GOLDEN_3_1), GOLDEN_3_2, "golden files are made once");
}

#[test]
fn other_major_versions_are_refused_by_their_number() {
    assert_eq!(decode(GOLDEN_1), Err(DecodeError::Version { major: 1, minor: 0 }));
    assert_eq!(decode(GOLDEN_2), Err(DecodeError::Version { major: 2, minor: 0 }));
    let error = decode(GOLDEN_2).unwrap_err().to_string();
    assert!(error.starts_with("offset 8, format version: 2.0, and this build reads 3.x; "), "{error}");
}

#[test]
fn a_later_major_version_is_refused_before_anything_else_is_looked_at() {
    let mut later = encode(7, &everything()).unwrap();
    later[8..10].copy_from_slice(&(FORMAT_MAJOR + 1).to_le_bytes());
    later[12..].fill(0xff);
    let refused = DecodeError::Version { major: FORMAT_MAJOR + 1, minor: FORMAT_MINOR };
    assert_eq!(decode(&later), Err(refused));
}

#[test]
fn a_choice_of_a_later_version_is_refused_by_the_name_of_its_field() {
    let mut snapshot = Snapshot { triggers: everything().triggers, ..Snapshot::default() };
    snapshot.triggers.truncate(1);
    let file = encode(1, &snapshot).unwrap();
    // The retry curve of the only trigger: field 2, a number, behind `retry_max` 10.
    let at = file.windows(4).position(|window| window == [0x08, 10, 0x10, 1]).unwrap() + 3;
    let mut later = file;
    later[at] = 9;
    let error = decode(&seal(later)).unwrap_err().to_string();
    let expected = format!("offset {}, triggers.delivery.backoff: 9 is none of the choices", at - 1);
    assert!(error.starts_with(&expected), "{error}");
}
