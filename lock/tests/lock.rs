//! One process at a time, and patience with one that is going away.

use std::{fs::File, sync::mpsc, thread};

use eagre_lock::{ATTEMPTS, lock};

#[test]
fn a_lock_is_held_until_its_file_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lock");
    let (first, second) = (File::create(&path).unwrap(), File::open(&path).unwrap());
    assert!(lock(&first, 1).unwrap());
    assert!(!lock(&second, 2).unwrap());
    drop(first);
    assert!(lock(&second, 1).unwrap());
}

#[test]
fn a_holder_that_goes_away_meanwhile_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lock");
    let (first, second) = (File::create(&path).unwrap(), File::open(&path).unwrap());
    assert!(lock(&first, 1).unwrap());
    let (waits, go) = mpsc::channel();
    let holder = thread::spawn(move || {
        go.recv().unwrap();
        drop(first);
    });
    assert!(!lock(&second, 1).unwrap());
    waits.send(()).unwrap();
    assert!(lock(&second, ATTEMPTS).unwrap());
    holder.join().unwrap();
}
