//! Files that must be refused, each with its reason.

#![allow(clippy::disallowed_methods, reason = "tests move files as an editor or an intruder does")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use eagre_filter::Filter;
use eagre_snapshot::{
    ANNOTATIONS_BYTES_MAX, ANNOTATIONS_MAX, Annotations, DecodeError, DirProblem, Endpoint, EndpointError,
    FILTER_DEPTH_MAX, Flaw, Fsync, Id, LoadProblem, PublishError, Publisher, Snapshot, Subscriber,
    TRIGGERS_MAX, decode, encode,
};
use support::{later::seal, small};

fn file() -> Vec<u8> {
    encode(7, &small()).unwrap()
}

#[test]
fn every_single_bit_flip_is_refused() {
    let file = file();
    for bit in 0..file.len() * 8 {
        let mut flipped = file.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&flipped).is_err(), "bit {bit} of {} may flip unnoticed", file.len() * 8);
    }
}

#[test]
fn truncation_at_every_byte_is_refused() {
    let file = file();
    for length in 0..file.len() {
        assert!(decode(&file[..length]).is_err(), "{length} of {} bytes pass", file.len());
    }
}

#[test]
fn a_byte_too_many_is_refused() {
    let mut file = file();
    file.push(0);
    assert!(matches!(decode(&file), Err(DecodeError::BodyBytes { .. })));
}

#[test]
fn the_reason_names_offset_and_field() {
    let edited = |at: usize, byte: u8| {
        let mut file = file();
        file[at] = byte;
        decode(&file).unwrap_err().to_string()
    };
    assert_eq!(edited(0, b'X'), "offset 0, magic: not a snapshot");
    assert!(edited(8, 2).starts_with("offset 8, format version: 2.1, and this build reads 3.x"));
    assert!(edited(12, 39).starts_with("offset 12, header bytes: 39"));
    assert!(edited(14, 1).starts_with("offset 12, header bytes: 65576"));
    assert!(edited(12, 41).starts_with("offset 24, body bytes: "));
    assert!(edited(16, 8).starts_with("offset 32, checksum: "));
    assert!(edited(24, 0).starts_with("offset 24, body bytes: "));
}

#[test]
fn a_body_that_is_none_is_refused_with_offset_field_and_reason() {
    let refused = |body: &[u8]| {
        let mut file = encode(1, &Snapshot::default()).unwrap()[..40].to_vec();
        file.extend_from_slice(body);
        decode(&seal(file)).unwrap_err().to_string()
    };
    // A trigger of u64::MAX bytes: nothing is allocated for it.
    let huge = [&[0x12][..], &[0xff; 9], &[1]].concat();
    for (body, reason) in [
        (&huge[..], "offset 51, body: ends in the middle of a value"),
        (&[0x12, 5, 0x20], "offset 42, body: ends in the middle of a value"),
        (&[0x12, 2, 0x22, 9], "offset 44, triggers: ends in the middle of a value"),
        (&[0x02, 0], "offset 40, body: not the key of a field"),
        (&[0x0b], "offset 40, body: not the key of a field"),
        (&[0xff; 11], "offset 40, body: not a number of up to 64 bits"),
        (&[0x10, 1], "offset 40, triggers: another type of value than this field has"),
        (&[0x12, 3, 0x22, 1, 0xff], "offset 44, triggers.name: not UTF-8"),
        (
            &[0x12, 7, 0x32, 5, 0x18, 0xff, 0xff, 0xff, 1],
            "offset 44, triggers.subscriber.port: 4194303 is more than 65535",
        ),
        (
            &[0x12, 2, 0x2a, 0],
            "offset 42, triggers.filter: the nodes do not form one tree within the limit of depth",
        ),
    ] {
        assert_eq!(refused(body), reason, "{body:x?}");
    }
}

#[test]
fn more_triggers_than_the_limit_are_refused_without_allocating_for_them() {
    let mut file = encode(1, &Snapshot::default()).unwrap()[..40].to_vec();
    file.extend_from_slice(&[0x12, 0].repeat(TRIGGERS_MAX));
    assert_eq!(decode(&seal(file.clone())).unwrap().1.triggers.len(), TRIGGERS_MAX);
    file.extend_from_slice(&[0x12, 0]);
    let error = decode(&seal(file)).unwrap_err().to_string();
    assert_eq!(error, "offset 200040, triggers: more than 100000 in one list");
}

#[test]
fn a_filter_nested_too_deep_is_neither_written_nor_valid() {
    let nested = |depth: usize| {
        let mut snapshot = small();
        snapshot.triggers[0].filter =
            (1..depth).fold(Filter::Everything, |filter, _| Filter::Not(Box::new(filter)));
        snapshot
    };
    let deepest = nested(FILTER_DEPTH_MAX);
    let bytes = encode(1, &deepest).unwrap();
    assert_eq!(decode(&bytes), Ok((1, deepest)));
    let too_deep = nested(FILTER_DEPTH_MAX + 1);
    assert!(encode(1, &too_deep).is_err());
    assert_eq!(too_deep.validate().unwrap_err().flaw, Flaw::FilterDepth);
}

#[test]
fn snapshots_that_contradict_themselves_are_invalid() {
    let flaw = |edit: fn(&mut Snapshot)| {
        let mut snapshot = small();
        edit(&mut snapshot);
        snapshot.validate().unwrap_err().flaw
    };
    let endpoint = |edit: fn(&mut Endpoint)| {
        let mut snapshot = small();
        edit(&mut snapshot.triggers[0].subscriber);
        match snapshot.validate().unwrap_err().flaw {
            Flaw::Endpoint { endpoint: "subscriber", field, .. } => field,
            other => panic!("{other}"),
        }
    };
    assert_eq!(flaw(|s| s.brokers[0].id = Id(0)), Flaw::ZeroId);
    assert_eq!(flaw(|s| s.triggers[0].broker = Id(1)), Flaw::NoBroker(Id(1)));
    assert!(matches!(flaw(|s| s.triggers[0].broker = s.triggers[0].id), Flaw::NoBroker(_)));
    assert!(matches!(flaw(|s| s.triggers[0].id = s.brokers[0].id), Flaw::SameId { .. }));
    assert!(matches!(flaw(|s| s.triggers.push(s.triggers[0].clone())), Flaw::SameId { .. }));
    for name in ["", "a/b", "a b", "a\r\nx: y", "ä"] {
        let mut snapshot = small();
        snapshot.triggers[0].namespace = name.into();
        assert_eq!(snapshot.validate().unwrap_err().flaw, Flaw::Name { field: "namespace" }, "{name:?}");
    }
    assert!(matches!(flaw(|s| s.triggers[0].delivery.timeout_ms = Some(u64::MAX)), Flaw::Delivery { .. }));
    assert!(matches!(flaw(|s| s.triggers[0].delivery.retry_max = u32::MAX), Flaw::Delivery { .. }));
    assert_eq!(
        flaw(|s| s.brokers[0].settings.fsync = Some(Fsync::Interval { ms: 0 })).to_string(),
        "settings.fsync.ms: 0 is not within 1 to 60000"
    );
    assert!(matches!(
        flaw(|s| s.brokers[0].settings.fsync = Some(Fsync::Interval { ms: 60_001 })),
        Flaw::Setting { field: "settings.fsync.ms", .. }
    ));
    for bytes in [0, (8 << 20) - 1, (1 << 50) + 1, u64::MAX] {
        let mut snapshot = small();
        snapshot.brokers[0].settings.backlog_bytes_max = Some(bytes);
        let flaw = snapshot.validate().unwrap_err().flaw;
        assert!(matches!(flaw, Flaw::Setting { field: "settings.backlog_bytes_max", .. }), "{bytes}");
    }
    assert!(matches!(flaw(|s| s.grace_ms = 24 * 3_600_000 + 1), Flaw::Setting { field: "grace_ms", .. }));
    for broken in [
        (0..=ANNOTATIONS_MAX).map(|n| (n.to_string(), String::new())).collect(),
        Annotations::from([("a".into(), "x".repeat(ANNOTATIONS_BYTES_MAX))]),
        Annotations::from([("a b".into(), String::new())]),
        Annotations::from([(String::new(), String::new())]),
    ] {
        let (mut of_broker, mut of_trigger) = (small(), small());
        of_broker.brokers[0].annotations = broken.clone();
        of_trigger.triggers[0].annotations = broken;
        for snapshot in [of_broker, of_trigger] {
            assert!(matches!(snapshot.validate().unwrap_err().flaw, Flaw::Annotations(_)));
        }
    }
    assert_eq!(endpoint(|e| e.port = 0), "port");
    assert_eq!(endpoint(|e| e.host = String::new()), "host");
    assert_eq!(endpoint(|e| e.host = "a@b".into()), "host");
    assert_eq!(endpoint(|e| e.authority = "a\r\nevil: 1".into()), "authority");
    assert_eq!(endpoint(|e| e.target = "no-slash".into()), "target");
    assert_eq!(endpoint(|e| e.target = "/ HTTP/1.1\r\n".into()), "target");
    assert_eq!(endpoint(|e| e.uri = "http://a/\n".into()), "uri");
    assert_eq!(endpoint(|e| e.uri = String::new()), "uri");
}

#[test]
fn a_name_listed_twice_under_two_ids_is_invalid() {
    let mut snapshot = small();
    let mut twin = snapshot.triggers[0].clone();
    twin.id = Id(1);
    snapshot.triggers.push(twin);
    let invalid = snapshot.validate().unwrap_err();
    assert_eq!(invalid.to_string(), "trigger default/trigger-0: listed twice, under different ids");
}

#[test]
fn uris_that_cannot_be_called_are_refused() {
    let refused = |uri: &str| Endpoint::parse(uri).unwrap_err();
    assert!(matches!(refused("https://a/"), EndpointError::Tls(_)));
    assert!(refused("https://a/").to_string().contains("TLS to subscribers is not available"));
    assert!(matches!(refused("HTTPS://a/"), EndpointError::Tls(_)));
    assert_eq!(refused("http://user@a/"), EndpointError::Credentials);
    assert_eq!(refused("http://:secret@a/"), EndpointError::Credentials);
    assert_eq!(refused("bad://user:secret@a/"), EndpointError::Credentials);
    for uri in ["", "/path", "http://", "bad://", "bad:///path", "?query"] {
        assert!(matches!(refused(uri), EndpointError::NoHost(_)), "{uri:?}");
    }
    assert!(matches!(refused("http://a:0/"), EndpointError::PortZero(_)));
    assert!(matches!(refused("http://a:65536/"), EndpointError::Syntax { .. }));
    assert_eq!(refused("http://a/\r\nx: y"), EndpointError::ControlByte { offset: 9, byte: b'\r' });
    assert!(matches!(refused(&format!("http://a/{}", "x".repeat(9000))), EndpointError::TooLong(_)));
}

#[test]
fn a_directory_that_others_can_write_to_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(Publisher::open(dir.path()).unwrap_err().problem, DirProblem::Writable(0o777)));
    assert!(matches!(Subscriber::open(dir.path()).unwrap_err().problem, DirProblem::Writable(0o777)));
}

#[test]
fn a_second_publisher_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = Publisher::open(dir.path()).unwrap();
    assert!(matches!(Publisher::open(dir.path()).unwrap_err().problem, DirProblem::Held));
    drop(first);
    Publisher::open(dir.path()).unwrap();
}

#[test]
fn a_control_page_of_another_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Publisher::open(dir.path()).unwrap());
    let path = dir.path().join("control");
    let mut page = fs::read(&path).unwrap();
    page[8] = 2;
    fs::write(&path, &page).unwrap();
    assert!(matches!(
        Subscriber::open(dir.path()).unwrap_err().problem,
        DirProblem::Version { found: 2, .. }
    ));
    assert!(matches!(Publisher::open(dir.path()).unwrap_err().problem, DirProblem::Version { found: 2, .. }));
    page[0] = b'X';
    fs::write(&path, &page).unwrap();
    assert!(matches!(Subscriber::open(dir.path()).unwrap_err().problem, DirProblem::Magic));
}

#[test]
fn an_invalid_snapshot_is_not_published() {
    let dir = tempfile::tempdir().unwrap();
    let mut publisher = Publisher::open(dir.path()).unwrap();
    publisher.publish(&small()).unwrap();
    let mut invalid = small();
    invalid.triggers[0].broker = Id(1);
    assert!(publisher.publish(&invalid).is_err());
    assert_eq!(publisher.generation().number, 1);
}

#[test]
fn a_directory_whose_numbers_are_used_up_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(format!("snapshot-{}", u64::MAX)), b"").unwrap();
    let mut publisher = Publisher::open(dir.path()).unwrap();
    assert!(matches!(publisher.publish(&small()), Err(PublishError::Exhausted)));
}

#[test]
fn a_refused_generation_is_reported_once_and_the_next_one_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let mut publisher = Publisher::open(dir.path()).unwrap();
    let mut subscriber = Subscriber::open(dir.path()).unwrap();
    publisher.publish(&small()).unwrap();
    assert!(subscriber.load().unwrap().is_some());
    let second = publisher.publish(&small()).unwrap();
    let path = dir.path().join("snapshot-2");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    let refused = subscriber.load().unwrap_err();
    assert_eq!(refused.generation, second);
    assert!(matches!(refused.reason, LoadProblem::Decode(DecodeError::Checksum { .. })));
    assert!(subscriber.load().unwrap().is_none());
    assert!(!subscriber.wait(Duration::from_millis(1)), "what was refused is nothing to wake up for");
    let third = publisher.publish(&small()).unwrap();
    assert_eq!(subscriber.load().unwrap(), Some((third, small())));
}

#[test]
fn a_file_under_another_generations_name_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut publisher = Publisher::open(dir.path()).unwrap();
    publisher.publish(&small()).unwrap();
    publisher.publish(&small()).unwrap();
    fs::rename(dir.path().join("snapshot-1"), dir.path().join("snapshot-2")).unwrap();
    let refused = Subscriber::open(dir.path()).unwrap().load().unwrap_err();
    assert!(matches!(refused.reason, LoadProblem::Mislabelled(1)));
}
