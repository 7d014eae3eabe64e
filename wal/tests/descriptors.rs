//! A log in a process that has used up its descriptors. A binary of its own, as the
//! limit is the whole process's.

mod support;

use std::{
    fs::File,
    os::fd::AsRawFd,
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use eagre_wal::{AppendError, Fsync, Full, Log, OpenError, Options};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::{BACKENDS, Consumers as _, EVENT, append, body, flush, open, read_all, small};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Does something with `left` descriptors and no more.
fn with_descriptors<T>(left: u64, then: impl FnOnce() -> T) -> T {
    let limit = getrlimit(Resource::Nofile);
    let next = File::open("/dev/null").unwrap().as_raw_fd() as u64;
    setrlimit(Resource::Nofile, Rlimit { current: Some(next + left), ..limit }).unwrap();
    let result = then();
    setrlimit(Resource::Nofile, limit).unwrap();
    result
}

#[test]
fn without_descriptors_everything_goes_on_until_the_next_segment_and_then_when_there_are_some() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for backend in BACKENDS {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), backend);
        log.set_cursor(1, eagre_wal::Cursor::default());
        let mut number = 0;
        while log.usage().segments < 6 || log.usage().spares == 0 {
            append(&mut log, &body(number));
            flush(&mut log).unwrap();
            number += 1;
        }
        // Opened anew: nothing was read yet.
        drop(log);
        log = open(dir.path(), backend);
        while log.usage().spares == 0 {
            support::wait(&log);
            log.poll().unwrap();
        }
        let full = with_descriptors(0, || {
            let full = loop {
                match log.append(EVENT, 0, Fsync::Always, &[&body(number)]) {
                    Ok(_) => number += 1,
                    Err(AppendError::Full(Full::Preparing)) => log.poll().unwrap(),
                    Err(AppendError::Full(full)) => break full,
                    Err(error) => panic!("{error}"),
                }
                flush(&mut log).unwrap();
            };
            let entries = read_all(&log);
            assert!(entries.iter().zip(0..).all(|(entry, number)| entry.body == body(number)));
            assert_eq!(entries.len() as u64, number, "what is durable can be read");
            // Nor does letting go of segments need any.
            log.set_cursor(1, eagre_wal::Cursor { read: log.durable(), pending: Vec::new() });
            log.append_cursors(0, Fsync::Always).unwrap();
            flush(&mut log).unwrap();
            log.release(0);
            while log.usage().segments > 1 {
                support::wait(&log);
                log.poll().unwrap();
            }
            full
        });
        assert!(matches!(full, Full::NoResources(_)), "{full}");
        while log.append(EVENT, 0, Fsync::Always, &[&body(number)]).is_err() {
            thread::sleep(Duration::from_millis(10));
            log.poll().unwrap();
        }
        flush(&mut log).unwrap();
        assert_eq!(read_all(&log).last().unwrap().body, body(number));
    }
}

#[test]
fn a_log_that_cannot_be_opened_for_want_of_descriptors_says_so_and_is_unharmed() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for backend in BACKENDS {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { backend, ..small() };
        let mut short = 0;
        // On its first start, and on one that finds records.
        for records in [0, 100] {
            for left in 0.. {
                match with_descriptors(left, || Log::open(dir.path(), options.clone())) {
                    Ok((log, recovery)) => {
                        assert_eq!(recovery.records, records);
                        drop(log);
                        break;
                    }
                    Err(error) => {
                        assert!(matches!(error, OpenError::Shortage { .. }), "{left} left: {error}");
                        assert_eq!(error.exit_code(), 75, "EX_TEMPFAIL");
                        assert!(error.to_string().contains("raise the limit"), "{error}");
                        short += 1;
                    }
                }
            }
            let mut log = open(dir.path(), backend);
            for number in records..100 {
                append(&mut log, &body(number));
            }
            flush(&mut log).unwrap();
            assert_eq!(read_all(&log).len(), 100);
        }
        assert!(short > 8, "{short}");
    }
}
