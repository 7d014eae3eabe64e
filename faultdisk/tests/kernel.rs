//! The kernel finds in it what it finds in any file system.
#![allow(unsafe_code)] // Mapping a file is unsafe in every interface: the file can change under the reference.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Write},
    os::unix::fs::FileExt,
    path::Path,
    thread,
};

use eagre_faultdisk::{Loss, Operation};
use memmap2::{Mmap, MmapMut};
use support::Mounted;

mod support;

fn map(file: &File) -> Mmap {
    // SAFETY: the map is read after the writes of this test, by its own thread,
    // and the file does not shrink.
    unsafe { Mmap::map(file) }.expect("the file is mapped")
}

fn map_mut(file: &File) -> MmapMut {
    // SAFETY: only this test's thread has the file, which does not shrink.
    unsafe { MmapMut::map_mut(file) }.expect("the file is mapped")
}

#[test]
fn a_map_sees_what_is_written() {
    let mounted = Mounted::default();
    let file = mounted.create("file", &[1; 8192]);
    let mapped = map(&file);
    assert_eq!(mapped[4096..4100], [1; 4]);
    file.write_all_at(b"later", 4096).expect("written");
    assert_eq!(&mapped[4096..4101], b"later");
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("the cache is dropped");
    assert_eq!(&mapped[4096..4101], b"later");
}

#[test]
fn what_is_written_through_a_map_is_read_and_is_durable_after_msync() {
    let mut mounted = Mounted::default();
    let file = mounted.create_synced("file", &[1; 3 * 4096]);
    let mut mapped = map_mut(&file);
    mapped[..4].copy_from_slice(b"kept");
    mapped.flush().expect("synced");
    mapped[4096..4100].copy_from_slice(b"lost");
    assert_eq!(&mounted.read("file")[4096..4100], b"lost");
    drop((mapped, file));
    mounted.cut(Loss::Everything);
    let data = mounted.read("file");
    assert_eq!(&data[..4], b"kept");
    assert_eq!(data[4096..4100], [1; 4]);
}

#[test]
fn a_lock_keeps_others_out() {
    let mounted = Mounted::default();
    let first = mounted.create("lock", b"");
    first.try_lock().expect("the lock is free");
    let second = File::open(mounted.path("lock")).expect("opened");
    assert!(matches!(second.try_lock(), Err(TryLockError::WouldBlock)));
    drop(first);
    second.try_lock().expect("the lock is free again");
}

#[test]
fn appending_goes_to_the_end() {
    let mounted = Mounted::default();
    drop(mounted.create("file", b"one"));
    let mut file = OpenOptions::new().append(true).open(mounted.path("file")).expect("opened");
    file.write_all(b"two").expect("written");
    assert_eq!(mounted.read("file"), b"onetwo");
    drop(OpenOptions::new().write(true).truncate(true).open(mounted.path("file")).expect("opened"));
    assert_eq!(mounted.read("file"), b"");
}

#[test]
fn a_removed_file_can_be_read_as_long_as_it_is_open() {
    let mounted = Mounted::default();
    let mut file = mounted.create("file", b"data");
    fs::remove_file(mounted.path("file")).expect("removed");
    mounted.sync_directory("");
    let mut data = Vec::new();
    file.read_to_end(&mut data).expect("read");
    assert_eq!(data, b"data");
}

#[test]
fn a_directory_can_be_emptied_while_it_is_read() {
    let mounted = Mounted::default();
    let names: BTreeSet<_> = (0..500).map(|number| format!("a file with the number {number}")).collect();
    for name in &names {
        drop(mounted.create(name, b""));
    }
    let mut listed = BTreeSet::new();
    for entry in fs::read_dir(mounted.root()).expect("listed") {
        let entry = entry.expect("listed");
        fs::remove_file(entry.path()).expect("removed");
        listed.insert(entry.file_name().into_string().expect("the names are text"));
    }
    assert_eq!(listed, names);
    assert_eq!(fs::read_dir(mounted.root()).expect("listed").count(), 0);
}

#[test]
fn a_directory_that_is_not_empty_stays() {
    let mounted = Mounted::default();
    fs::create_dir(mounted.path("directory")).expect("made");
    drop(mounted.create("directory/file", b""));
    let error = fs::remove_dir(mounted.path("directory")).expect_err("it is not empty");
    assert_eq!(error.kind(), std::io::ErrorKind::DirectoryNotEmpty);
}

#[test]
fn writers_of_different_files_do_not_mix() {
    let mut mounted = Mounted::default();
    thread::scope(|scope| {
        for writer in 0..8u8 {
            let mounted = &mounted;
            scope.spawn(move || {
                let file = mounted.create(&writer.to_string(), b"");
                for at in 0..50 {
                    file.write_all_at(&[writer; 1000], at * 1000).expect("written");
                    file.sync_data().expect("synced");
                }
            });
        }
    });
    mounted.sync_directory("");
    mounted.cut(Loss::Everything);
    for writer in 0..8u8 {
        assert_eq!(mounted.read(&writer.to_string()), [writer; 50_000]);
    }
}

#[test]
fn writers_of_one_file_do_not_lose_each_others_bytes() {
    let mut mounted = Mounted::default();
    let file = mounted.create_synced("file", b"");
    thread::scope(|scope| {
        for writer in 0..8u8 {
            let file = &file;
            scope.spawn(move || {
                for at in 0..50 {
                    file.write_all_at(&[writer; 100], (at * 8 + u64::from(writer)) * 100).expect("written");
                    file.sync_data().expect("synced");
                }
            });
        }
    });
    drop(file);
    mounted.cut(Loss::Everything);
    for (at, piece) in mounted.read("file").chunks(100).enumerate() {
        assert_eq!(piece, [(at % 8) as u8; 100]);
    }
}

#[test]
fn a_power_cut_comes_though_files_are_open() {
    let mut mounted = Mounted::default();
    let file = mounted.create_synced("file", b"data");
    mounted.cut(Loss::Everything);
    file.write_all_at(b"late", 0).expect_err("this file went with its mount");
    assert_eq!(mounted.read("file"), b"data");
}

#[test]
fn an_unmount_fails_while_a_file_is_open() {
    let mut mounted = Mounted::default();
    let file = mounted.create("file", b"data");
    mounted.disk.unmount().expect_err("a file is open");
    file.write_all_at(b"more", 0).expect("it is still mounted");
    drop(file);
    mounted.disk.unmount().expect("nobody uses it");
}

#[test]
fn dropping_the_disk_unmounts_it() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let mut disk = eagre_faultdisk::FaultDisk::new(Default::default());
    disk.mount(directory.path()).expect("mounted");
    assert!(is_mounted(directory.path()));
    let file = File::create(directory.path().join("file")).expect("created");
    drop(disk);
    assert!(!is_mounted(directory.path()));
    drop(file);
}

fn is_mounted(path: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("the mounts can be read");
    mounts.lines().any(|line| line.split(' ').nth(1) == path.to_str())
}

#[test]
fn a_synchronous_write_is_durable() {
    let mut mounted = Mounted::default();
    drop(mounted.create_synced("file", &[1; 4096]));
    let file = rustix::fs::open(
        mounted.path("file"),
        rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::DSYNC,
        rustix::fs::Mode::empty(),
    );
    let syncs = mounted.disk.faults().count(Operation::Sync);
    File::from(file.expect("opened")).write_all_at(&[2; 4096], 0).expect("written");
    assert_eq!(mounted.disk.faults().count(Operation::Sync), syncs + 1);
    mounted.cut(Loss::Everything);
    assert_eq!(mounted.read("file"), [2; 4096]);
}
