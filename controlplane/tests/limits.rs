//! Every limit on input is refused in words, none by running out of something.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
};

use eagre_controlplane::{
    Report, check,
    compile::{World, compile},
    index::Index,
    limits,
    manifest::{Diagnostic, Object, parse},
    resolve::Resolver,
};
use eagre_snapshot::{ANNOTATIONS_BYTES_MAX, ANNOTATIONS_MAX, Snapshot, TRIGGERS_MAX, encode};

fn check_one(path: &Path) -> Report {
    check(&[path.to_owned()])
}

#[track_caller]
fn assert_refused(report: &Report, message: &str) {
    assert_eq!(report.diagnostics.len(), 1, "{report}");
    assert!(report.diagnostics[0].is_error(), "{report}");
    assert!(report.diagnostics[0].message.contains(message), "{report}");
}

#[test]
fn a_huge_file_is_refused_without_reading_it_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("huge.yaml");
    File::create(&path).unwrap().set_len(limits::FILE_BYTES_MAX << 10).unwrap();
    assert_refused(&check_one(&path), "larger than 16 MiB");
}

#[test]
fn folders_that_contain_themselves_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.yaml"), "# nothing\n").unwrap();
    symlink(dir.path(), dir.path().join("again")).unwrap();
    assert_refused(&check_one(dir.path()), "folders inside each other");
}

#[test]
fn a_file_reached_twice_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.yaml");
    fs::write(&path, "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: b}\n").unwrap();
    symlink(&path, dir.path().join("b.yaml")).unwrap();
    let report = check(&[path.clone(), dir.path().to_owned(), path]);
    assert_eq!((report.files, report.brokers, report.is_ok()), (1, 1, true), "{report}");
}

#[test]
fn a_folder_without_manifests_is_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let report = check_one(dir.path());
    assert!(report.is_ok());
    assert_eq!(report.diagnostics[0].message, "holds no *.yaml or *.yml file");
}

#[test]
fn annotations_beyond_the_limits_of_a_snapshot_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.yaml");
    let long = "x".repeat(ANNOTATIONS_BYTES_MAX);
    let many: String =
        (0..=ANNOTATIONS_MAX).map(|n| format!("    eagre.eventing.knative.dev/a{n}: x\n")).collect();
    for (annotations, message) in [
        (many, "more than 32 annotations that begin with `eagre.eventing.knative.dev/`"),
        (format!("    eagre.eventing.knative.dev/a: {long}\n"), "more than 4096 bytes of annotations"),
    ] {
        let head =
            "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata:\n  name: b\n  annotations:\n";
        fs::write(&path, head.to_owned() + &annotations).unwrap();
        let report = check_one(&path);
        let error = report.diagnostics.iter().find(|diagnostic| diagnostic.is_error());
        let error = error.unwrap_or_else(|| panic!("{report}"));
        assert!(error.message.contains(message) && error.line >= 6, "{report}");
    }
}

/// `count` triggers of one broker, all at line 3 of their own file.
fn compiled(count: usize, target: &str) -> (Snapshot, Vec<Diagnostic>) {
    let object = |name: &str, text: &str| {
        let path = Path::new(name).into();
        parse(&path, &format!("apiVersion: eventing.knative.dev/v1\n{text}")).objects.remove(0)
    };
    let mut index = Index::default();
    index.insert(object("b.yaml", "kind: Broker\nmetadata: {name: b}\n")).unwrap();
    let trigger = object(
        "t.yaml",
        &format!(
            "kind: Trigger\nmetadata: {{name: t}}\nspec: {{broker: b, subscriber: {{uri: 'http://h/{target}'}}}}\n"
        ),
    );
    let Object::Trigger(trigger) = trigger else { panic!("not a trigger") };
    for number in 0..count {
        let mut trigger = trigger.clone();
        trigger.metadata.name = format!("t{number:06}");
        trigger.metadata.place.path = Path::new(&format!("t{number}.yaml")).into();
        index.insert(Object::Trigger(trigger)).unwrap();
    }
    let (resolver, former) = (Resolver::new("http://h").unwrap(), Snapshot::default());
    let compiled = compile(&index, World { resolver: &resolver, referents: None, former: &former });
    (compiled.snapshot, compiled.remarks)
}

#[test]
fn the_first_trigger_too_many_is_refused_by_the_place_of_its_manifest() {
    let (fits, remarks) = compiled(TRIGGERS_MAX, "");
    assert_eq!((fits.triggers.len(), remarks.len()), (TRIGGERS_MAX, 0));
    let (cut, remarks) = compiled(TRIGGERS_MAX + 1, "");
    assert_eq!(cut, fits, "the others are not touched");
    let error = remarks[0].to_string();
    assert!(
        error.starts_with("t100000.yaml:3:18: error: one configuration has at most 100000 triggers"),
        "{error}"
    );
}

#[test]
fn the_first_trigger_too_long_is_refused_by_the_place_of_its_manifest() {
    // The path is in the URI and in the target: 16 KiB a trigger, of 64 MiB.
    let path = "x".repeat(8_000);
    let (cut, remarks) = compiled(5_000, &path);
    let error = remarks[0].to_string();
    let limit = "error: one configuration has at most 67108864 bytes of brokers and triggers";
    assert!(error.contains(limit), "{error}");
    let first: usize = error[1..error.find('.').unwrap()].parse().unwrap();
    let (fits, remarks) = compiled(first, &path);
    assert!(remarks.is_empty(), "one less is within the limit");
    assert_eq!(cut, fits, "the others are not touched");
    assert!(encode(1, &fits).is_ok());
}

#[test]
fn deep_nesting_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep.yaml");
    for (open, close) in [("[", "]"), ("{a: ", "}")] {
        let depth = 100_000;
        fs::write(&path, format!("a: {}x{}\n", open.repeat(depth), close.repeat(depth))).unwrap();
        assert_refused(&check_one(&path), "not valid YAML");
    }
}
