//! What a later minor version writes: a snapshot with fields that this build
//! has never heard of, in every record, behind the header, and of every type.

use crc_fast::{CrcAlgorithm, Digest};

/// Which fields of a record are records themselves.
struct Record(&'static [(u64, &'static Record)]);

const LEAF: Record = Record(&[]);
const BROKER: Record = Record(&[(4, &SETTINGS), (5, &LEAF)]);
const SETTINGS: Record = Record(&[(1, &LEAF)]);
const TRIGGER: Record = Record(&[(5, &FILTER), (6, &LEAF), (7, &LEAF), (8, &LEAF), (9, &LEAF)]);
const FILTER: Record = Record(&[(1, &NODE)]);
const NODE: Record = Record(&[(2, &LEAF)]);
const SNAPSHOT: Record = Record(&[(1, &BROKER), (2, &TRIGGER)]);

/// `file` as the next minor version would write it.
pub fn next_minor(file: &[u8]) -> Vec<u8> {
    let header_bytes = 48_u32;
    let mut later = file[..40].to_vec();
    let minor = u16::from_le_bytes([file[10], file[11]]) + 1;
    later[10..12].copy_from_slice(&minor.to_le_bytes());
    later[12..16].copy_from_slice(&header_bytes.to_le_bytes());
    later.extend_from_slice(b"unheard!");
    add_to(&SNAPSHOT, &file[40..], &mut later);
    seal(later)
}

/// States the length of the body and the checksum of a file.
pub fn seal(mut file: Vec<u8>) -> Vec<u8> {
    let header_bytes = u32::from_le_bytes(file[12..16].try_into().unwrap());
    let body_bytes = file.len() as u64 - u64::from(header_bytes);
    file[24..32].copy_from_slice(&body_bytes.to_le_bytes());
    let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
    digest.update(&file[..32]);
    digest.update(&file[40..]);
    file[32..40].copy_from_slice(&digest.finalize().to_le_bytes());
    file
}

/// A record with a stranger before its first field, and strangers behind its last.
fn add_to(record: &Record, mut bytes: &[u8], out: &mut Vec<u8>) {
    put(out, 1000 << 3);
    put(out, u64::MAX);
    while !bytes.is_empty() {
        let key = take(&mut bytes);
        put(out, key);
        match key & 7 {
            0 => put(out, take(&mut bytes)),
            1 => out.extend_from_slice(bytes.split_off(..8).unwrap()),
            2 => {
                let length = take(&mut bytes) as usize;
                let value = bytes.split_off(..length).unwrap();
                match record.0.iter().find(|(number, _)| *number == key >> 3) {
                    None => put_bytes(out, value),
                    Some((_, inner)) => {
                        let mut grown = Vec::new();
                        add_to(inner, value, &mut grown);
                        put_bytes(out, &grown);
                    }
                }
            }
            other => panic!("type {other} is never written"),
        }
    }
    put(out, 1001 << 3 | 1);
    out.extend_from_slice(&[0xff; 8]);
    put(out, 1002 << 3 | 2);
    put_bytes(out, b"\xff a section that is no text, nor a record");
    put(out, 536_870_911 << 3 | 5);
    out.extend_from_slice(&[0xff; 4]);
}

fn take(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let byte = *bytes.split_off_first().unwrap();
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
