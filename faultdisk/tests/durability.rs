//! What was synced is there after a power cut, and what was not is lost.

use std::{fs, os::unix::fs::FileExt};

use eagre_faultdisk::Loss;
use support::{Mounted, rename};

mod support;

const BOTH: [Loss; 2] = [Loss::Everything, Loss::Random(7)];

#[test]
fn what_was_synced_survives() {
    for loss in BOTH {
        let mut mounted = Mounted::default();
        let data: Vec<u8> = (0..20_000u32).map(|at| at as u8).collect();
        drop(mounted.create_synced("file", &data));
        fs::create_dir(mounted.path("directory")).expect("a directory is made");
        drop(mounted.create("directory/inner", b"inner"));
        fs::File::open(mounted.path("directory/inner")).and_then(|file| file.sync_data()).expect("synced");
        mounted.sync_directory("directory");
        mounted.sync_directory("");
        let cut = mounted.cut(loss);
        assert_eq!(cut, Default::default(), "nothing was unsynced");
        assert_eq!(mounted.read("file"), data);
        assert_eq!(mounted.read("directory/inner"), b"inner");
    }
}

#[test]
fn data_that_was_not_synced_is_lost() {
    let mut mounted = Mounted::default();
    let file = mounted.create_synced("file", &[1; 10_000]);
    file.write_all_at(&[2; 6000], 2000).expect("written");
    assert_eq!(mounted.read("file")[2000..8000], [2; 6000], "it is seen");
    let cut = mounted.cut(Loss::Everything);
    assert_eq!(cut.pages_lost, 2);
    assert_eq!(mounted.read("file"), [1; 10_000]);
}

#[test]
fn a_size_that_was_not_synced_is_lost() {
    let mut mounted = Mounted::default();
    let longer = mounted.create_synced("longer", &[1; 5000]);
    let shorter = mounted.create_synced("shorter", &[1; 5000]);
    longer.set_len(9000).expect("the size is set");
    shorter.set_len(100).expect("the size is set");
    assert_eq!((mounted.read("longer").len(), mounted.read("shorter").len()), (9000, 100));
    let cut = mounted.cut(Loss::Everything);
    assert_eq!(cut.sizes_lost, 2);
    assert_eq!(mounted.read("longer"), [1; 5000]);
    assert_eq!(mounted.read("shorter"), [1; 5000]);
}

#[test]
fn fdatasync_makes_the_size_durable() {
    let mut mounted = Mounted::default();
    let file = mounted.create_synced("file", b"");
    file.write_all_at(&[3; 4097], 0).expect("written");
    file.sync_data().expect("synced");
    file.set_len(8192).expect("the size is set");
    file.sync_data().expect("synced");
    file.set_len(4097).expect("the size is set");
    mounted.cut(Loss::Everything);
    assert_eq!(mounted.read("file")[..4097], [3; 4097]);
    assert_eq!(mounted.read("file")[4097..], [0; 4095]);
}

#[test]
fn a_file_that_shrinks_and_grows_again_shows_zeros() {
    let mut mounted = Mounted::default();
    let file = mounted.create_synced("file", &[1; 9000]);
    file.set_len(10).expect("the size is set");
    file.set_len(9000).expect("the size is set");
    assert_eq!(mounted.read("file")[10..], [0; 8990]);
    file.sync_all().expect("synced");
    mounted.cut(Loss::Everything);
    assert_eq!(mounted.read("file")[..10], [1; 10]);
    assert_eq!(mounted.read("file")[10..], [0; 8990]);
}

#[test]
fn a_sync_of_a_file_does_not_make_its_name_durable() {
    let mut mounted = Mounted::default();
    mounted.create("file", b"data").sync_all().expect("synced");
    let cut = mounted.cut(Loss::Everything);
    assert_eq!(cut.names_lost, 1);
    assert!(!mounted.has("file"));
}

#[test]
fn a_sync_of_a_directory_does_not_make_its_files_durable() {
    let mut mounted = Mounted::default();
    drop(mounted.create("file", b"data"));
    mounted.sync_directory("");
    mounted.cut(Loss::Everything);
    assert_eq!(mounted.read("file"), b"", "the name is there, the bytes and the size are not");
}

#[test]
fn a_directory_is_gone_with_all_in_it_unless_its_own_name_is_durable() {
    let mut mounted = Mounted::default();
    fs::create_dir(mounted.path("directory")).expect("a directory is made");
    mounted.create("directory/file", b"data").sync_all().expect("synced");
    mounted.sync_directory("directory");
    mounted.cut(Loss::Everything);
    assert!(!mounted.has("directory"));
}

#[test]
fn a_rename_that_was_not_synced_is_undone() {
    let mut mounted = Mounted::default();
    drop(mounted.create_synced("old", b"one"));
    drop(mounted.create_synced("target", b"two"));
    rename(&mounted.path("old"), &mounted.path("target")).expect("renamed");
    assert_eq!((mounted.has("old"), mounted.read("target")), (false, b"one".to_vec()));
    mounted.cut(Loss::Everything);
    assert_eq!((mounted.read("old"), mounted.read("target")), (b"one".to_vec(), b"two".to_vec()));
}

#[test]
fn a_rename_is_durable_in_both_directories_or_in_neither() {
    for synced in ["from", "to"] {
        let mut mounted = Mounted::default();
        for name in ["from", "to"] {
            fs::create_dir(mounted.path(name)).expect("a directory is made");
        }
        mounted.create("from/file", b"data").sync_all().expect("synced");
        for name in ["", "from", "to"] {
            mounted.sync_directory(name);
        }
        rename(&mounted.path("from/file"), &mounted.path("to/file")).expect("renamed");
        mounted.sync_directory(synced);
        mounted.cut(Loss::Everything);
        assert!(!mounted.has("from/file"));
        assert_eq!(mounted.read("to/file"), b"data");
    }
}

#[test]
fn a_synced_name_does_not_depend_on_how_the_file_came_there() {
    for seed in 0..20 {
        let mut mounted = Mounted::default();
        for name in ["a", "b"] {
            fs::create_dir(mounted.path(name)).expect("a directory is made");
        }
        mounted.sync_directory("");
        mounted.create("a/file", b"data").sync_all().expect("synced");
        rename(&mounted.path("a/file"), &mounted.path("b/file")).expect("renamed");
        rename(&mounted.path("b/file"), &mounted.path("file")).expect("renamed");
        mounted.sync_directory("");
        mounted.cut(Loss::Random(seed));
        assert_eq!(mounted.read("file"), b"data", "seed {seed}");
        assert!(!mounted.has("a/file") && !mounted.has("b/file"), "seed {seed}");
    }
}

#[test]
fn a_removal_that_was_not_synced_is_undone() {
    let mut mounted = Mounted::default();
    drop(mounted.create_synced("file", b"data"));
    fs::create_dir(mounted.path("directory")).expect("a directory is made");
    mounted.sync_directory("");
    fs::remove_file(mounted.path("file")).expect("removed");
    fs::remove_dir(mounted.path("directory")).expect("removed");
    assert!(!mounted.has("file") && !mounted.has("directory"));
    mounted.cut(Loss::Everything);
    assert_eq!(mounted.read("file"), b"data");
    assert!(mounted.has("directory"));
}

#[test]
fn a_removal_that_was_synced_stays() {
    let mut mounted = Mounted::default();
    drop(mounted.create_synced("file", b"data"));
    fs::remove_file(mounted.path("file")).expect("removed");
    mounted.sync_directory("");
    mounted.cut(Loss::Everything);
    assert!(!mounted.has("file"));
}

#[test]
fn an_unmount_loses_nothing_and_syncs_nothing() {
    let mut mounted = Mounted::default();
    drop(mounted.create("file", b"data"));
    let root = mounted.root().to_owned();
    mounted.disk.unmount().expect("nobody uses it");
    assert!(!mounted.has("file"), "the directory underneath is empty");
    mounted.disk.mount(&root).expect("mounted again");
    assert_eq!(mounted.read("file"), b"data");
    mounted.cut(Loss::Everything);
    assert!(!mounted.has("file"));
}

#[test]
fn pages_are_old_new_or_torn_at_sectors_by_chance() {
    let mut sum = eagre_faultdisk::Cut::default();
    for seed in 0..20 {
        let mut mounted = Mounted::default();
        let file = mounted.create_synced("file", &[1; 8 * 4096]);
        file.write_all_at(&[2; 8 * 4096], 0).expect("written");
        let cut = mounted.cut(Loss::Random(seed));
        assert_eq!(cut.pages_lost + cut.pages_kept + cut.pages_torn, 8);
        let data = mounted.read("file");
        let torn = data.chunks(4096).filter(|page| page.iter().any(|byte| *byte != page[0])).count();
        assert_eq!(torn as u64, cut.pages_torn);
        assert!(data.chunks(512).all(|sector| sector == [1; 512] || sector == [2; 512]), "seed {seed}");
        sum.pages_lost += cut.pages_lost;
        sum.pages_kept += cut.pages_kept;
        sum.pages_torn += cut.pages_torn;
    }
    assert!(sum.pages_lost > 20 && sum.pages_kept > 20 && sum.pages_torn > 20, "{sum:?}");
}

#[test]
fn names_are_kept_and_lost_independently() {
    let mut outcomes = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let mut mounted = Mounted::default();
        drop(mounted.create("a", b""));
        drop(mounted.create("b", b""));
        mounted.cut(Loss::Random(seed));
        outcomes.insert((mounted.has("a"), mounted.has("b")));
    }
    assert_eq!(outcomes.len(), 4, "every combination occurs: {outcomes:?}");
}

#[test]
fn a_seed_decides_a_cut() {
    let cut = |seed| {
        let mut mounted = Mounted::default();
        let file = mounted.create_synced("file", &[1; 64 * 4096]);
        file.write_all_at(&[2; 64 * 4096], 0).expect("written");
        mounted.cut(Loss::Random(seed));
        mounted.read("file")
    };
    assert_eq!(cut(5), cut(5));
    assert_ne!(cut(5), cut(6));
}
