//! What the control plane watches is replaced under it: folders and files of
//! manifests, and the snapshot folder. The binary at work; no test depends on how
//! soon it notices.

#![allow(clippy::disallowed_methods, reason = "tests move files as an administrator does")]

mod support;

use std::{fs, os::unix::fs::symlink, sync::mpsc::channel, time::Duration};

use eagre_controlplane::source::watch::Watch;
use eagre_snapshot::{Publisher, StatsWriter};
use support::{Setup, broker, replace, trigger};

fn manifest(name: &str) -> String {
    broker() + &trigger(name)
}

#[test]
fn a_folder_that_is_removed_and_made_again_is_followed() {
    let mut setup = Setup::new();
    let folder = setup.manifest("");
    fs::write(setup.manifest("a.yaml"), manifest("t0")).unwrap();
    let mut watcher = setup.start(&[&folder]);
    watcher.until_triggers(&["t0"]);
    for (round, name) in ["t1", "t2", "t3"].into_iter().enumerate() {
        // Ready before it has its name: a folder that is there and empty is a state of its own.
        let next = setup.path("next");
        fs::create_dir(&next).unwrap();
        fs::write(next.join("a.yaml"), manifest(name)).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        fs::rename(&next, &folder).unwrap();
        watcher.until_triggers(&[name]);
        watcher.until_logged_times(round + 1, "a folder of the manifests was replaced, and is watched again");
    }
    fs::write(setup.manifest("b.yaml"), trigger("t4")).unwrap();
    watcher.until_triggers(&["t3", "t4"]);
}

#[test]
fn the_folder_around_the_manifests_may_be_replaced() {
    let mut setup = Setup::new();
    let (outer, folder) = (setup.path("outer"), setup.path("outer/inner"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("a.yaml"), manifest("t1")).unwrap();
    let named = folder.join("a.yaml");
    let mut watcher = setup.start(&[&named]);
    watcher.until_triggers(&["t1"]);
    fs::rename(&outer, setup.path("aside")).unwrap();
    watcher.until_logged("cannot be read");
    fs::create_dir_all(&folder).unwrap();
    fs::write(&named, manifest("t2")).unwrap();
    watcher.until_triggers(&["t2"]);
    replace(&named, &manifest("t3"));
    watcher.until_triggers(&["t3"]);
}

/// As the kubelet lays out a ConfigMap: files link into `..data`, and that links to a folder.
#[test]
fn a_mounted_config_map_is_followed_from_link_to_link() {
    let mut setup = Setup::new();
    let volume = setup.manifest("");
    let version = |name: &str, trigger: &str| {
        let folder = volume.join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("a.yaml"), manifest(trigger)).unwrap();
        symlink(name, volume.join("..data_tmp")).unwrap();
        fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    };
    version("..1", "t1");
    symlink("..data/a.yaml", volume.join("a.yaml")).unwrap();
    let named = volume.join("a.yaml");
    // The folder, and the file in it.
    for path in [volume.clone(), named] {
        let mut watcher = setup.start(&[&path]);
        watcher.until(|_| true);
        for (name, trigger) in [("..2", "t2"), ("..3", "t3")] {
            version(name, trigger);
            watcher.until_triggers(&[trigger]);
            let _ = fs::remove_dir_all(volume.join("..1"));
        }
        assert_eq!(setup.stop().code(), Some(0));
        for name in ["..2", "..3"] {
            fs::remove_dir_all(volume.join(name)).unwrap();
        }
        version("..1", "t1");
    }
}

#[test]
fn a_link_to_a_folder_may_lead_elsewhere() {
    let mut setup = Setup::new();
    let link = setup.path("link");
    for name in ["t1", "t2"] {
        fs::create_dir(setup.path(name)).unwrap();
        fs::write(setup.path(name).join("a.yaml"), manifest(name)).unwrap();
    }
    symlink(setup.path("t1"), &link).unwrap();
    let mut watcher = setup.start(&[&link]);
    watcher.until_triggers(&["t1"]);
    symlink(setup.path("t2"), setup.path("link.tmp")).unwrap();
    fs::rename(setup.path("link.tmp"), &link).unwrap();
    watcher.until_triggers(&["t2"]);
    replace(&setup.path("t2").join("a.yaml"), &manifest("t3"));
    watcher.until_triggers(&["t3"]);
}

#[test]
fn a_watch_knows_when_it_watches_what_is_gone_and_a_new_one_sees_the_new() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("m");
    let paths = [folder.clone()];
    let watch = || {
        let (sender, notices) = channel();
        (Watch::new(&paths, move || sender.send(()).unwrap_or(())).unwrap(), notices)
    };
    fs::create_dir(&folder).unwrap();
    let mut watched = watch();
    for _ in 0..3 {
        assert!(watched.0.is_current());
        fs::remove_dir(&folder).unwrap();
        assert!(!watched.0.is_current());
        fs::create_dir(&folder).unwrap();
        assert!(!watched.0.is_current());
        watched = watch();
        fs::write(folder.join("a.yaml"), "x").unwrap();
        watched.1.recv_timeout(Duration::from_secs(60)).expect("a notice");
        fs::remove_file(folder.join("a.yaml")).unwrap();
    }
}

#[test]
fn what_is_in_force_is_published_again_into_a_snapshot_folder_that_is_made_again() {
    let mut setup = Setup::new();
    let path = setup.manifest("a.yaml");
    fs::write(&path, manifest("t1")).unwrap();
    let mut watcher = setup.start(&[&path]);
    watcher.until_triggers(&["t1"]);
    replace(&path, &manifest("t2"));
    assert_eq!(watcher.until_triggers(&["t2"]), 2);
    // Manifests that are broken meanwhile: what is in force is what counts.
    replace(&path, "kind: nonsense");
    watcher.until_logged("generation 2 stays in force");
    let before = watcher.subscriber.generation();
    for round in 1..=2 {
        fs::remove_dir_all(setup.snapshots()).unwrap();
        if round == 2 {
            fs::create_dir(setup.snapshots()).unwrap();
        }
        assert_eq!(watcher.until_triggers(&["t2"]), 1, "numbers begin anew");
        assert!(!before.has_reached(watcher.subscriber.generation()));
        watcher.until_logged_times(round, "the snapshot folder was removed or replaced; generation 1 there");
        let stats = StatsWriter::create(&setup.snapshots(), 1, 16).unwrap();
        stats.shard(0).unwrap().applied(watcher.subscriber.generation());
        watcher.until_logged_times(round, "generation 1 active on 1 shards, 1 brokers, 1 triggers, ");
    }
    replace(&path, &manifest("t3"));
    assert_eq!(watcher.until_triggers(&["t3"]), 2);
    assert_eq!(setup.stop().code(), Some(0));
}

#[test]
fn a_snapshot_folder_that_another_publisher_has_is_waited_for() {
    let mut setup = Setup::new();
    let path = setup.manifest("a.yaml");
    fs::write(&path, manifest("t1")).unwrap();
    let mut watcher = setup.start(&[&path]);
    watcher.until_triggers(&["t1"]);
    // One step, so that nobody comes in between.
    let next = setup.path("next");
    let other = Publisher::open(&next).unwrap();
    fs::rename(setup.snapshots(), setup.path("aside")).unwrap();
    fs::rename(&next, setup.snapshots()).unwrap();
    watcher.until_logged("another process holds it");
    assert_eq!(setup.log().matches("another process holds it").count(), 1);
    drop(other);
    assert_eq!(watcher.until_triggers(&["t1"]), 1);
}
