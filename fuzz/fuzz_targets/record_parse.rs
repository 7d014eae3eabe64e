//! Bytes that pass for a record: every accessor is total, what iterates can be
//! looked up, and every rendering is whole: JSON is JSON, whatever was damaged.
#![no_main]

use eagre_event::{Failure, Record};
use eagre_fuzz::Input;
use libfuzzer_sys::fuzz_target;

/// Where the record's header has the bytes of its payload, and how long it is.
const PAYLOAD_BYTES: std::ops::Range<usize> = 16..20;
const FIXED_BYTES: usize = 40;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let with_length = input.byte() % 2 == 1;
    let mut bytes = input.0.to_vec();
    if with_length && bytes.len() >= FIXED_BYTES {
        fit_payload(&mut bytes);
    }
    let Ok(record) = Record::parse(&bytes) else { return };

    assert_ne!(record.ttl(), 0);
    let _ = (record.headers(), record.payload());
    let mut required = 0;
    for (name, value) in record.attributes() {
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let first = record.attributes().find(|(other, _)| *other == name).map(|(_, value)| value);
        assert_eq!(record.attribute(name), first);
        assert!(first == Some(value) || record.attributes().filter(|(other, _)| *other == name).count() > 1);
        required += usize::from(["specversion", "id", "source", "type"].contains(&name));
    }
    assert!(required >= 4);

    let failure = Failure { destination: "http://s\r\n/", code: Some(503), data: &bytes };
    let (mut json, mut headers) = (Vec::new(), Vec::new());
    record.write_json(&mut json);
    record.write_dead_letter_headers(&mut headers, &failure);
    let value: serde_json::Value = serde_json::from_slice(&json).expect("always valid JSON");
    assert!(value.is_object());
    let added = headers.strip_prefix(record.headers()).expect("the block comes first");
    assert!(added.ends_with(b"\r\n"));
    assert!(
        added.split(|byte| *byte == b'\n').all(|line| line.strip_suffix(b"\r").is_some() || line.is_empty())
    );
});

/// Makes the lengths add up, which random ones hardly ever do.
fn fit_payload(bytes: &mut [u8]) {
    let number = |at: usize| u64::from(u32::from_le_bytes(std::array::from_fn(|n| bytes[at + n])));
    let short = |at: usize| u64::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let others = short(6) + 16 * short(4) + number(8) + number(12);
    let payload = (bytes.len() as u64).saturating_sub(others) as u32;
    bytes[PAYLOAD_BYTES].copy_from_slice(&payload.to_le_bytes());
}
