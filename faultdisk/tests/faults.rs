//! Faults that are switched on.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    thread,
    time::{Duration, Instant},
};

use eagre_faultdisk::{Errno, Loss, Operation, Options};
use rustix::fs::{Advice, fadvise};
use support::{Mounted, rename, sync_directory};

mod support;

/// What takes longer hangs, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(180);

fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> Option<Errno> {
    result.expect_err("it was to fail").raw_os_error().map(Errno::from_raw_os_error)
}

#[test]
fn the_kth_operation_of_a_kind_fails_and_only_that() {
    let mounted = Mounted::default();
    let faults = mounted.disk.faults();
    let file = mounted.create("file", b"data");
    faults.fail(Operation::Write, 3, Errno::IO);
    for write in 1..=5 {
        let result = file.write_all_at(&[write; 4], 0);
        assert_eq!(result.is_err(), write == 3);
    }
    assert_eq!(mounted.read("file"), [5; 4]);
    faults.fail_from(Operation::Write, 2, Errno::NOSPC);
    file.write_all_at(b"fine", 0).expect("the first is well");
    assert_eq!(errno(file.write_all_at(b"none", 0)), Some(Errno::NOSPC));
    assert_eq!(errno(file.write_all_at(b"none", 0)), Some(Errno::NOSPC));
    faults.clear();
    file.write_all_at(b"well", 0).expect("the faults are off");
}

#[test]
fn every_kind_of_operation_can_fail() {
    let mounted = Mounted::default();
    let faults = mounted.disk.faults();
    let file = mounted.create_synced("file", b"data");
    let path = mounted.path("file");
    let other = mounted.path("other");
    let check = |operation, act: &dyn Fn() -> std::io::Result<()>| {
        let before = faults.count(operation);
        faults.fail(operation, 1, Errno::IO);
        assert_eq!(errno(act()), Some(Errno::IO), "{operation:?}");
        act().unwrap_or_else(|error| panic!("{operation:?} fails only once: {error}"));
        assert!(faults.count(operation) >= before + 2, "{operation:?}");
    };
    check(Operation::Write, &|| file.write_all_at(b"data", 0));
    check(Operation::SetSize, &|| file.set_len(10));
    check(Operation::Sync, &|| file.sync_data());
    check(Operation::SyncDirectory, &|| sync_directory(mounted.root()));
    check(Operation::Rename, &|| rename(&path, &other));
    check(Operation::Remove, &|| fs::remove_file(&other));
    check(Operation::Create, &|| File::create(&path).map(drop));
}

#[test]
fn reading_can_fail_where_nothing_is_cached() {
    let mounted = Mounted::default();
    let file = mounted.create("file", b"data");
    fadvise(&file, 0, None, Advice::DontNeed).expect("the cache is dropped");
    mounted.disk.faults().fail_from(Operation::Read, 1, Errno::IO);
    assert_eq!(errno(file.read_exact_at(&mut [0; 4], 0)), Some(Errno::IO));
    mounted.disk.faults().clear();
    assert_eq!(mounted.read("file"), b"data");
}

#[test]
fn what_a_failed_sync_did_not_write_the_next_one_writes() {
    let mut mounted = Mounted::default();
    let file = mounted.create_synced("file", b"old");
    mounted.disk.faults().fail(Operation::Sync, 1, Errno::IO);
    file.write_all_at(b"new", 0).expect("written");
    file.sync_data().expect_err("the disk fails");
    file.sync_data().expect("it fails once");
    mounted.cut(Loss::Everything);
    assert_eq!(mounted.read("file"), b"new");
}

#[test]
fn a_failed_sync_can_forget_what_it_did_not_write() {
    let mut mounted = Mounted::default();
    let file = mounted.create_synced("file", b"old");
    let faults = mounted.disk.faults();
    assert_eq!(mounted.read("file"), b"old", "and now the page is cached");
    faults.failed_sync_forgets(true);
    faults.fail(Operation::Sync, 1, Errno::IO);
    file.write_all_at(b"new", 0).expect("written");
    file.sync_data().expect_err("the disk fails");
    file.sync_data().expect("all is well, it says");
    assert_eq!(mounted.read("file"), b"new", "it is seen in the cache");
    fadvise(&file, 0, None, Advice::DontNeed).expect("the cache is dropped");
    assert_eq!(mounted.read("file"), b"old", "it is not on the disk");
    mounted.cut(Loss::Everything);
    assert_eq!(mounted.read("file"), b"old");
}

#[test]
fn a_full_disk_refuses_what_needs_space_until_there_is_some() {
    let mounted = Mounted::new(Options { capacity_bytes: 16 * 4096 });
    let first = mounted.create("first", &[1; 10 * 4096]);
    let second = mounted.create("second", b"");
    assert_eq!(errno(second.write_all_at(&[2; 7 * 4096], 0)), Some(Errno::NOSPC));
    first.write_all_at(&[3; 4096], 0).expect("to overwrite needs no space");
    let stat = rustix::fs::statvfs(mounted.root()).expect("stat");
    assert_eq!((stat.f_blocks, stat.f_bsize), (16, 4096));
    drop(first);
    fs::remove_file(mounted.path("first")).expect("removed");
    // The kernel tells when it has given up the file, some time after.
    let began = Instant::now();
    while let Err(error) = second.write_all_at(&[2; 16 * 4096], 0) {
        assert!(began.elapsed() < PATIENCE, "no space came back: {error}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_sync_that_hangs_hangs_alone_until_it_is_released() {
    let mut mounted = Mounted::default();
    let faults = mounted.disk.faults();
    let file = mounted.create_synced("file", b"old");
    faults.hold_syncs();
    file.write_all_at(b"new", 0).expect("written");
    thread::scope(|scope| {
        let hanging = scope.spawn(|| file.sync_data());
        wait_until(|| faults.syncs_waiting() == 1);
        drop(mounted.create("other", b"the disk does everything else"));
        assert!(!hanging.is_finished());
        faults.release_syncs();
        hanging.join().expect("no panic").expect("synced");
    });
    mounted.cut(Loss::Everything);
    assert_eq!(mounted.read("file"), b"new");
}

#[test]
fn a_power_cut_ends_a_sync_that_hangs_and_it_syncs_nothing() {
    let mut mounted = Mounted::default();
    let faults = mounted.disk.faults();
    let file = mounted.create_synced("file", b"old");
    faults.hold_syncs();
    file.write_all_at(b"new", 0).expect("written");
    let hanging = thread::spawn(move || file.sync_data());
    wait_until(|| faults.syncs_waiting() == 1);
    mounted.cut(Loss::Everything);
    hanging.join().expect("no panic").expect_err("the disk is gone");
    wait_until(|| faults.syncs_waiting() == 0);
    assert_eq!(mounted.read("file"), b"old");
}

#[test]
fn a_slow_disk_takes_its_time_to_sync() {
    let mounted = Mounted::default();
    let file = mounted.create("file", b"data");
    mounted.disk.faults().delay_syncs(Duration::from_millis(30));
    let began = Instant::now();
    file.sync_data().expect("synced");
    mounted.sync_directory("");
    assert!(began.elapsed() >= Duration::from_millis(60));
}

fn wait_until(condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "it does not come about");
        thread::sleep(Duration::from_millis(1));
    }
}
