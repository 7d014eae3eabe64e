//! Builds the programs from `build/`, a Go module that pins their versions, once for
//! all processes that share a cache.
//!
//! A folder in the cache is complete: it gets its name when everything is in it. The
//! name tells the version and what it was built from, so an edited module is built
//! anew, and clones of different age can share a cache.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::{Binaries, Error};

const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/build");
const GO_MOD: &str = include_str!("../build/go.mod");
const SOURCES: [&str; 3] = [GO_MOD, include_str!("../build/go.sum"), include_str!("../build/main.go")];

/// How often the lock of a build is asked for, twenty times a second: half an hour,
/// which is three builds on a slow machine.
const LOCK_ATTEMPTS: u32 = 36_000;

/// The programs in `cache`, which are built if they are not there.
pub(crate) fn once(cache: &Path) -> Result<Binaries, Error> {
    let version = version();
    let mut hasher = DefaultHasher::new();
    SOURCES.hash(&mut hasher);
    let folder = cache.join(format!("{version}-{:016x}", hasher.finish()));
    if let Ok(found) = Binaries::in_folder(&folder) {
        return Ok(found);
    }
    fs::create_dir_all(cache).map_err(Error::machine(format!("creating {}", cache.display())))?;
    let lock = cache.join("lock");
    let held = File::create(&lock).and_then(|file| Ok((eagre_lock::lock(&file, LOCK_ATTEMPTS)?, file)));
    // To its end this holds the file open, and so the lock.
    let (true, _file) = held.map_err(Error::machine(format!("locking {}", lock.display())))? else {
        return Err(Error::Unavailable(format!(
            "another process has been building for half an hour and holds {}",
            lock.display()
        )));
    };
    if !folder.is_dir() {
        build(version, cache, &folder)?;
    }
    Binaries::in_folder(&folder).map_err(|missing| Error::Machine {
        what: format!("{} is damaged, remove it", folder.display()),
        cause: format!("{} is missing", missing.join(" and ")),
    })
}

/// The version of Kubernetes, which `go.mod` alone decides.
fn version() -> &'static str {
    let mut words = GO_MOD.split_whitespace();
    words
        .find(|word| *word == "k8s.io/kubernetes")
        .and_then(|_| words.next())
        .expect("go.mod requires k8s.io/kubernetes")
}

fn build(version: &str, cache: &Path, folder: &Path) -> Result<(), Error> {
    // Past the capture of a test's output: a test that takes minutes says why.
    let _ = writeln!(
        io::stderr(),
        "building kube-apiserver {version} and etcd for tests into {}, once; takes minutes",
        folder.display()
    );
    let unfinished = tempfile::Builder::new()
        .prefix("unfinished-")
        .tempdir_in(cache)
        .map_err(Error::machine(format!("creating a folder in {}", cache.display())))?;
    let program = unfinished.path().join("kube-apiserver");
    let output = go_build(version, &program).map_err(|error| {
        let hint =
            "install Go 1.24 or later, or set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver";
        Error::Unavailable(format!("`go` does not run ({error}); {hint}"))
    })?;
    if !output.status.success() {
        return Err(Error::Unavailable(format!("`go build` in {MODULE} failed: {}", end(&output.stderr))));
    }
    symlink("kube-apiserver", unfinished.path().join("etcd"))
        .and_then(|()| give_name(unfinished, folder))
        .map_err(Error::machine(format!("finishing {}", folder.display())))
}

fn go_build(version: &str, program: &Path) -> io::Result<Output> {
    let mut numbers = version.trim_start_matches('v').split('.');
    let stamp = [
        ("gitVersion", version),
        ("gitMajor", numbers.next().unwrap_or("")),
        ("gitMinor", numbers.next().unwrap_or("")),
    ];
    let stamp: String = stamp
        .iter()
        .map(|(name, value)| format!(" -X k8s.io/component-base/version.{name}={value}"))
        .collect();
    Command::new("go")
        .args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags"])
        .arg(format!("-s -w{stamp}"))
        .arg("-o")
        .arg(program)
        .arg(".")
        .current_dir(MODULE)
        .env("CGO_ENABLED", "0")
        // A workspace around the clone is not ours.
        .env("GOWORK", "off")
        .stdin(Stdio::null())
        .output()
}

#[expect(clippy::disallowed_methods, reason = "what a power cut takes from a cache is built again")]
fn give_name(unfinished: tempfile::TempDir, folder: &Path) -> io::Result<()> {
    fs::rename(unfinished.path(), folder)?;
    // Nothing of that name is left to be removed.
    let _ = unfinished.keep();
    Ok(())
}

/// The last lines of what a program said, on one.
fn end(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut lines: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("go: downloading")).rev().take(3).collect();
    lines.reverse();
    lines.join("; ")
}
