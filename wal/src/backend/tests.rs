//! What becomes of a log whose writes do not get to the kernel.

use std::{
    io::Read,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::{CWD, FileType, Mode, mknodat},
    io::Errno,
};
use tempfile::TempDir;

use super::{ring::Ring, thread::Thread, *};
use crate::{
    Fsync, Kind, Log, Lsn, Options, Stage,
    directory::Directory,
    limits::{HAND_OVER_RETRY_MAX, SEGMENT_BYTES_MIN},
    prepare::{Done, Job, Preparer},
    segment::Header,
    storage::{Storage, files::Files},
};

const EVENT: Kind = Kind::OWNER_MIN;

fn files(dir: &TempDir, engine: impl FnOnce(&Event) -> Engine) -> Files {
    let directory = Arc::new(Directory::take(dir.path()).unwrap());
    let event = Event::new().unwrap();
    Files::on(directory, engine(&event), event).unwrap()
}

fn log(dir: &TempDir, engine: impl FnOnce(&Event) -> Engine) -> Log {
    let options = Options { segment_bytes: SEGMENT_BYTES_MIN, ..Options::default() };
    Log::open_on(Box::new(files(dir, engine)), dir.path(), options).unwrap().0
}

/// A ring that is refused by the kernel as the errors say, one a time, from when
/// the first are given to it; and how often it was entered.
#[derive(Clone, Default)]
struct Refusals {
    errors: Arc<Mutex<Vec<Errno>>>,
    entered: Arc<AtomicUsize>,
}

impl Refusals {
    fn engine(&self, event: &Event) -> Engine {
        let Self { errors, entered } = self.clone();
        let enter = move |ring: &io_uring::IoUring| {
            entered.fetch_add(1, Ordering::Relaxed);
            match errors.lock().unwrap().pop() {
                Some(errno) => Err(errno.into()),
                None => ring.submit(),
            }
        };
        Engine::Ring(Box::new(Ring::entered_by(event, Box::new(enter)).unwrap()))
    }
}

fn is_readable(log: &Log) -> bool {
    poll(&mut [PollFd::new(&log.event_fd(), PollFlags::IN)], Some(&rustix::time::Timespec::default()))
        .unwrap()
        == 1
}

/// Sleeps until the log is woken, and no longer than a test may.
fn wait(log: &Log) {
    let long = rustix::time::Timespec { tv_sec: 60, tv_nsec: 0 };
    let woken = poll(&mut [PollFd::new(&log.event_fd(), PollFlags::IN)], Some(&long)).unwrap();
    assert_eq!(woken, 1, "nobody is woken");
}

fn flush(log: &mut Log) -> Result<(), crate::Poisoned> {
    log.submit()?;
    while !log.is_idle() {
        wait(log);
        log.poll()?;
    }
    Ok(())
}

#[test]
fn what_the_kernel_cannot_take_for_a_moment_is_handed_over_again() {
    for errno in [Errno::INTR, Errno::AGAIN, Errno::BUSY, Errno::NOMEM] {
        let dir = tempfile::tempdir().unwrap();
        let refusals = Refusals::default();
        let mut log = log(&dir, |event| refusals.engine(event));
        for number in 0..5u8 {
            log.append(EVENT, 0, Fsync::Always, &[&[number; 100]]).unwrap();
            let entered = refusals.entered.load(Ordering::Relaxed);
            *refusals.errors.lock().unwrap() = vec![errno; 4];
            flush(&mut log).unwrap();
            assert!(
                refusals.entered.load(Ordering::Relaxed) >= entered + 6,
                "a write, a sync, and four refusals"
            );
            assert_eq!(log.durable_as(Fsync::Always), log.end());
        }
        drop(log);
        let log = Log::open(dir.path(), Options { segment_bytes: SEGMENT_BYTES_MIN, ..Options::default() });
        assert_eq!(log.unwrap().0.records(), 5);
    }
}

#[test]
fn a_kernel_that_takes_nothing_is_asked_less_and_less_often() {
    let dir = tempfile::tempdir().unwrap();
    let refusals = Refusals::default();
    *refusals.errors.lock().unwrap() = vec![Errno::AGAIN; 10_000];
    let event = Event::new().unwrap();
    let mut engine = refusals.engine(&event);
    let file = Arc::new(File::create(dir.path().join("file")).unwrap());
    engine.write(file, 0, vec![1; 10], 0);
    for _ in 0..12 {
        let entered = refusals.entered.load(Ordering::Relaxed);
        assert!(engine.completion().is_none());
        // Asking before its time changes nothing.
        let early = refusals.entered.load(Ordering::Relaxed) - entered;
        assert!(early <= 1);
        let retry_at = engine.retry_at().expect("it is still to be handed over");
        assert!(retry_at <= Instant::now() + HAND_OVER_RETRY_MAX);
        std::thread::sleep(retry_at.saturating_duration_since(Instant::now()));
    }
    // Its end does not wait for what the kernel never had.
    drop(engine);
}

#[test]
fn a_refusal_that_is_final_poisons_and_wakes_the_owner() {
    for errno in [Errno::INVAL, Errno::BADF, Errno::PERM, Errno::IO] {
        let dir = tempfile::tempdir().unwrap();
        let refusals = Refusals::default();
        let mut log = log(&dir, |event| refusals.engine(event));
        flush(&mut log).unwrap();
        log.append(EVENT, 0, Fsync::Always, &[b"event"]).unwrap();
        while is_readable(&log) {
            log.poll().unwrap();
        }
        let durable = log.durable();
        *refusals.errors.lock().unwrap() = vec![errno];
        log.submit().unwrap();
        // A segment that was prepared wakes the owner too.
        let poisoned = loop {
            wait(&log);
            if let Err(poisoned) = log.poll() {
                break poisoned;
            }
        };
        assert_eq!(
            (poisoned.stage, poisoned.cause.raw_os_error()),
            (Stage::HandOver, Some(errno.raw_os_error()))
        );
        assert!(!poisoned.to_string().contains("check the disk"), "{poisoned}");
        assert!(log.submit().is_err() && log.poll().is_err());
        assert_eq!(log.durable(), durable);
    }
}

#[test]
fn a_thread_that_has_ended_poisons_and_wakes_the_owner() {
    let dir = tempfile::tempdir().unwrap();
    let file = Arc::new(File::create(dir.path().join("file")).unwrap());
    let event = Event::new().unwrap();
    let mut thread = Thread::new(event.clone()).unwrap();
    // Behind the end of the buffer: it panics.
    thread.write(Arc::clone(&file), 0, vec![1; 10], 11);
    event.wait().unwrap();
    let gone = loop {
        if let Some(completion) = thread.completion() {
            break completion;
        }
        event.wait().unwrap();
    };
    assert!(matches!(gone, Completion::Refused(_)));
    event.clear_signals();
    thread.sync(file);
    event.wait().unwrap();
    assert!(matches!(thread.completion(), Some(Completion::Refused(_))));

    let mut log = log(&dir, |_| Engine::Thread(thread));
    log.append(EVENT, 0, Fsync::Always, &[b"event"]).unwrap();
    log.submit().unwrap();
    wait(&log);
    assert_eq!(log.poll().unwrap_err().stage, Stage::HandOver);
}

#[test]
fn a_preparing_thread_that_has_ended_says_so_for_everything_it_was_asked() {
    let dir = tempfile::tempdir().unwrap();
    let directory = Arc::new(Directory::take(dir.path()).unwrap());
    let event = Event::new().unwrap();
    let mut preparer = Preparer::start(directory, event.clone()).unwrap();
    // A segment that does not hold its own header: it panics.
    preparer.ask(Job::Prepare(Header { base: Lsn::ZERO, segment_bytes: 0, generation: 1 }));
    preparer.ask(Job::Remove(Lsn(7)));
    let mut done = Vec::new();
    while done.len() < 2 {
        event.wait().unwrap();
        done.extend(preparer.done());
    }
    assert!(matches!(done[0], Done::Prepared(_, Err(_))) && matches!(done[1], Done::Removed(Lsn(7), Err(_))));
    event.clear_signals();
    preparer.ask(Job::Remove(Lsn(8)));
    event.wait().unwrap();
    assert!(matches!(preparer.done(), Some(Done::Removed(Lsn(8), Err(_)))));
}

#[test]
fn a_deadline_is_kept_while_a_segment_is_being_prepared() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = files(&dir, |event| Engine::start(Backend::Thread, event).unwrap());
    // A file that takes no more than a pipe does, and then makes its writer wait.
    let pipe = dir.path().join(format!("{}.segment.unfinished", Lsn::ZERO));
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    files.prepare(Header { base: Lsn::ZERO, segment_bytes: 16 << 20, generation: 1 });
    files.wake_at(files.now() + Duration::from_millis(1));
    files.wait().unwrap();
    assert!(files.chore().is_none(), "it is still being prepared");
    files.clear_event();
    // An earlier time takes the place of a later one.
    files.wake_at(files.now() + Duration::from_secs(3600));
    files.wake_at(files.now());
    files.wait().unwrap();
    assert!(files.chore().is_none());
    drain(&pipe);
    drop(files);
}

/// Reads from a pipe until its writer has written all it has.
fn drain(pipe: &std::path::Path) {
    let mut pipe = File::open(pipe).unwrap();
    let mut left = 16 << 20;
    while left > 0 {
        left -= pipe.read(&mut vec![0; 1 << 20]).unwrap();
    }
}
