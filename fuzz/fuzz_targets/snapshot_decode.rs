//! Bytes that pass for a snapshot: decoding is total, its result can be
//! validated and described, and encodes to bytes that decode to the same.
#![no_main]

use crc_fast::{CrcAlgorithm, Digest};
use eagre_fuzz::Input;
use eagre_snapshot::{FORMAT_MAJOR, FORMAT_MINOR, decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    // The checksum would keep nearly every mutation from the decoder behind it.
    let file = if input.byte() % 4 == 0 { input.0.to_vec() } else { with_header(input.0) };
    match decode(&file) {
        Ok((number, snapshot)) => {
            if let Err(invalid) = snapshot.validate() {
                assert!(!invalid.to_string().is_empty());
            }
            let again = encode(number, &snapshot).expect("what was decoded is within every limit");
            assert!(again.len() <= file.len(), "the encoding is the shortest");
            assert_eq!(decode(&again), Ok((number, snapshot)));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});

/// A file with this body and a header that fits it.
fn with_header(body: &[u8]) -> Vec<u8> {
    let mut file = b"EAGRSNAP".to_vec();
    file.extend_from_slice(&FORMAT_MAJOR.to_le_bytes());
    file.extend_from_slice(&FORMAT_MINOR.to_le_bytes());
    file.extend_from_slice(&40u32.to_le_bytes());
    file.extend_from_slice(&7u64.to_le_bytes());
    file.extend_from_slice(&(body.len() as u64).to_le_bytes());
    let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
    digest.update(&file);
    digest.update(body);
    file.extend_from_slice(&digest.finalize().to_le_bytes());
    file.extend_from_slice(body);
    file
}
