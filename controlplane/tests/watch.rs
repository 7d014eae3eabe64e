//! The binary at work: edits are published, mistakes are not, and it ends
//! cleanly. What is published is observed the way the data plane does it.

#![allow(clippy::disallowed_methods, reason = "tests move files as an editor or an intruder does")]

mod support;

use std::{fs, path::Path, process::Command};

use eagre_snapshot::{BrokerSettings, Fsync, Generation, StatsWriter, Subscriber};
use support::{Setup, Watcher, broker, replace, trigger};

#[test]
fn an_edit_is_published_and_no_change_is_not() {
    let mut setup = Setup::new();
    let path = setup.manifest("a.yaml");
    fs::write(&path, broker() + &trigger("t1")).unwrap();
    let mut watcher = setup.start(&[&path]);
    let first = watcher.until_triggers(&["t1"]);
    // Only a comment: nothing to publish, and the log says so.
    fs::write(&path, broker() + "# a comment\n" + &trigger("t1")).unwrap();
    watcher.until_logged("nothing changed; generation 1 stays in force");
    fs::write(&path, broker() + &trigger("t1") + &trigger("t2")).unwrap();
    let second = watcher.until_triggers(&["t1", "t2"]);
    assert_eq!((first, second), (1, 2));
}

#[test]
fn a_renamed_replacement_is_published_every_time() {
    let mut setup = Setup::new();
    let path = setup.manifest("a.yaml");
    fs::write(&path, broker() + &trigger("t0")).unwrap();
    let mut watcher = setup.start(&[&path]);
    watcher.until_triggers(&["t0"]);
    for name in ["t1", "t2", "t3"] {
        replace(&path, &(broker() + &trigger(name)));
        watcher.until_triggers(&[name]);
    }
}

#[test]
fn files_of_a_folder_come_and_go() {
    let mut setup = Setup::new();
    fs::write(setup.manifest("a.yaml"), broker()).unwrap();
    fs::write(setup.manifest("b.yml"), trigger("t1")).unwrap();
    fs::write(setup.manifest("notes.txt"), "kind: nonsense").unwrap();
    fs::write(setup.manifest(".#a.yaml"), "kind: nonsense").unwrap();
    let folder = setup.manifest("");
    let mut watcher = setup.start(&[&folder]);
    watcher.until_triggers(&["t1"]);
    fs::create_dir(setup.manifest("more")).unwrap();
    fs::write(setup.manifest("more/c.yaml"), trigger("t2")).unwrap();
    watcher.until_triggers(&["t1", "t2"]);
    fs::remove_file(setup.manifest("b.yml")).unwrap();
    watcher.until_triggers(&["t2"]);
}

#[test]
fn an_invalid_edit_changes_nothing_until_it_is_mended() {
    let mut setup = Setup::new();
    let path = setup.manifest("a.yaml");
    fs::write(&path, broker() + &trigger("t1")).unwrap();
    let mut watcher = setup.start(&[&path]);
    watcher.until_triggers(&["t1"]);
    // One good new trigger and one mistake: neither takes effect.
    let broken = trigger("t3").replace("broker: b", "broker: ''");
    replace(&path, &(broker() + &trigger("t2") + &broken));
    watcher.until_logged("`spec.broker` is empty");
    watcher.until_logged("generation 1 stays in force");
    assert_eq!(watcher.subscriber.generation().number, 1);
    replace(&path, &(broker() + &trigger("t2") + &trigger("t3")));
    assert_eq!(watcher.until_triggers(&["t2", "t3"]), 2);
    watcher.until_logged("manifests are valid again");
}

#[test]
fn a_brokers_settings_follow_its_config_map() {
    let mut setup = Setup::new();
    let path = setup.manifest("config.yaml");
    let config =
        |data: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{{data}}}\n");
    fs::write(setup.manifest("a.yaml"), broker()).unwrap();
    fs::write(setup.manifest("b.yaml"), broker().replace("name: b", "name: other")).unwrap();
    let folder = setup.manifest("");
    let mut watcher = setup.start(&[&folder]);
    watcher.until(|snapshot| snapshot.brokers.len() == 2);
    // Named before it is there: the state before stays in force until it appears.
    let named = broker() + "spec: {config: {apiVersion: v1, kind: ConfigMap, name: c}}\n";
    replace(&setup.manifest("a.yaml"), &named);
    watcher.until_logged("there is no ConfigMap default/c");
    assert_eq!(watcher.subscriber.generation().number, 1);
    replace(&path, &config("eagre.fsync: never"));
    watcher.until(|snapshot| snapshot.brokers[0].settings.fsync == Some(Fsync::Never));
    replace(&path, &config("eagre.fsync: 5ms"));
    let (third, _) =
        watcher.until(|snapshot| snapshot.brokers[0].settings.fsync == Some(Fsync::Interval { ms: 5 }));
    // Wrong, then gone: all brokers keep what they have.
    replace(&path, &config("eagre.fsync: sometimes"));
    watcher.until_logged("config.yaml:4:21: error: `data.eagre.fsync` cannot be `sometimes`");
    fs::remove_file(&path).unwrap();
    watcher.until_logged_times(2, "there is no ConfigMap default/c");
    assert_eq!((third.number, watcher.subscriber.generation().number), (3, 3));
    replace(&path, &config("eagre.backlog.max-bytes: 1Gi"));
    let (fourth, snapshot) =
        watcher.until(|snapshot| snapshot.brokers[0].settings.backlog_bytes_max == Some(1 << 30));
    assert_eq!((fourth.number, snapshot.brokers[0].settings.fsync), (4, None));
    assert_eq!(snapshot.brokers[1].settings, BrokerSettings::default());
}

#[test]
fn a_named_file_that_vanishes_or_is_truncated_changes_nothing() {
    let mut setup = Setup::new();
    let path = setup.manifest("a.yaml");
    fs::write(&path, broker() + &trigger("t1")).unwrap();
    let mut watcher = setup.start(&[&path]);
    watcher.until_triggers(&["t1"]);
    fs::write(&path, "").unwrap();
    watcher.until_logged("the file is empty");
    fs::remove_file(&path).unwrap();
    watcher.until_logged("No such file");
    assert_eq!(watcher.subscriber.generation().number, 1);
    fs::write(&path, broker() + &trigger("t2")).unwrap();
    watcher.until_triggers(&["t2"]);
}

#[test]
fn invalid_manifests_at_the_start_end_with_78_and_publish_nothing() {
    let setup = Setup::new();
    let path = setup.manifest("a.yaml");
    fs::write(&path, broker() + &trigger("T")).unwrap();
    let status = setup.command(&[&path]).status().unwrap();
    assert_eq!(status.code(), Some(78), "{}", setup.log());
    assert!(
        setup.log().contains("a.yaml:7:18: error: `metadata.name` is not a valid name: `T`"),
        "{}",
        setup.log()
    );
    assert_eq!(Subscriber::open(&setup.snapshots()).unwrap().generation(), Generation::NONE);
}

#[test]
fn invalid_manifests_at_the_start_keep_a_good_generation() {
    let mut setup = Setup::new();
    let path = setup.manifest("a.yaml");
    fs::write(&path, broker() + &trigger("t1")).unwrap();
    setup.start(&[&path]).until_triggers(&["t1"]);
    assert_eq!(setup.stop().code(), Some(0), "{}", setup.log());
    fs::write(&path, broker() + &trigger("T")).unwrap();
    let mut watcher = setup.start(&[&path]);
    watcher.until_logged("generation 1 stays in force");
    fs::write(&path, broker() + &trigger("t2")).unwrap();
    assert_eq!(watcher.until_triggers(&["t2"]), 2);
}

#[test]
fn a_restart_with_the_same_manifests_publishes_nothing() {
    let mut setup = Setup::new();
    let path = setup.manifest("a.yaml");
    fs::write(&path, broker()).unwrap();
    setup.start(&[&path]).until(|snapshot| snapshot.brokers.len() == 1);
    assert_eq!(setup.stop().code(), Some(0), "{}", setup.log());
    let watcher = setup.start(&[&path]);
    watcher.until_logged("nothing changed; generation 1 stays in force");
    assert_eq!(watcher.subscriber.generation().number, 1);
}

#[test]
fn a_generation_in_another_format_is_replaced_at_the_start() {
    let mut setup = Setup::new();
    let path = setup.manifest("a.yaml");
    fs::write(&path, broker()).unwrap();
    setup.start(&[&path]).until(|snapshot| snapshot.brokers.len() == 1);
    assert_eq!(setup.stop().code(), Some(0), "{}", setup.log());
    // As an older Eagre would have left it.
    let file = setup.snapshots().join("snapshot-1");
    fs::remove_file(&file).unwrap();
    fs::write(&file, include_bytes!("../../snapshot/tests/golden/v1.snapshot")).unwrap();
    let mut watcher = setup.start(&[&path]);
    assert_eq!(watcher.until(|snapshot| snapshot.brokers.len() == 1).0.number, 2);
    watcher.until_logged("format version: 1.0, and this build reads 3.x");
}

#[test]
fn wrong_arguments_and_missing_files_have_their_own_codes() {
    let setup = Setup::new();
    let code = |command: &mut Command| command.status().unwrap().code();
    assert_eq!(code(&mut setup.command(&[])), Some(64));
    assert_eq!(code(setup.command(&[]).arg("--no-such-option")), Some(64));
    assert_eq!(code(setup.command(&[]).args(["--builtin-display", "https://h/"])), Some(64));
    assert_eq!(
        code(setup.command(&[]).args(["--builtin-display", "http://h/", "--ingress-url", "h"])),
        Some(64)
    );
    assert_eq!(code(&mut setup.command(&[Path::new("/no/such/file.yaml")])), Some(66));
}

#[test]
fn the_built_in_broker_stands_beside_manifests() {
    let mut setup = Setup::new();
    let path = setup.manifest("a.yaml");
    fs::write(&path, broker()).unwrap();
    setup.child =
        Some(setup.command(&[&path]).args(["--builtin-display", "http://127.0.0.1:9/"]).spawn().unwrap());
    let mut watcher = Watcher {
        subscriber: Subscriber::open(&setup.snapshots()).unwrap(),
        log: setup.dir.path().join("log"),
    };
    let (_, snapshot) = watcher.until(|_| true);
    assert_eq!(
        snapshot.brokers.iter().map(|broker| broker.name.as_str()).collect::<Vec<_>>(),
        ["b", "default"]
    );
    assert_eq!(snapshot.triggers[0].name, "event-display");
}

#[test]
fn the_grace_of_the_command_line_is_published() {
    let mut setup = Setup::new();
    let path = setup.manifest("a.yaml");
    fs::write(&path, broker()).unwrap();
    for (arguments, grace_ms) in [(&[][..], 60_000), (&["--grace", "0s"], 0), (&["--grace", "2h"], 7_200_000)]
    {
        setup.child = Some(setup.command(&[&path]).args(arguments).spawn().unwrap());
        let mut watcher = Watcher {
            subscriber: Subscriber::open(&setup.snapshots()).unwrap(),
            log: setup.dir.path().join("log"),
        };
        watcher.until(|snapshot| snapshot.grace_ms == grace_ms);
        assert_eq!(setup.stop().code(), Some(0), "{}", setup.log());
    }
    assert_eq!(setup.command(&[&path]).args(["--grace", "25h"]).status().unwrap().code(), Some(64));
}

#[test]
fn the_data_planes_answer_is_logged_once() {
    let mut setup = Setup::new();
    let path = setup.manifest("a.yaml");
    fs::write(&path, broker() + &trigger("t1")).unwrap();
    let mut watcher = setup.start(&[&path]);
    watcher.until_triggers(&["t1"]);
    let first = watcher.subscriber.generation();
    let mut stats = StatsWriter::create(&setup.snapshots(), 2, 16).unwrap();
    let shards = [stats.shard(0).unwrap(), stats.shard(1).unwrap()];
    shards.iter().for_each(|shard| shard.applied(first));
    watcher.until_logged("generation 1 active on 2 shards, 1 brokers, 1 triggers, ");
    fs::write(&path, broker() + &trigger("t2")).unwrap();
    watcher.until_triggers(&["t2"]);
    stats.refuse(watcher.subscriber.generation(), "not today");
    watcher.until_logged("generation 2 refused by the data plane, which keeps the one before: not today");
    assert_eq!(setup.stop().code(), Some(0));
    assert_eq!(setup.log().matches(" active on ").count(), 1);
}
