//! The order of the source: a room of the data plane names those below it and none
//! above, the outside world is met in one place, and no file grows beyond reading.
//!
//! The rooms and their order are the `mod` lines of `lib.rs`. Each rule is tried on
//! a text that breaks it first.

#[path = "rooms/names.rs"]
mod names;

use std::{
    fs,
    path::{Path, PathBuf},
};

use names::{lines_naming, paths, tokens};

/// What only `runtime/` names, so that another world can take the place of this one,
/// and who else may, each with its reason.
const OUTSIDE: &[(&str, &[(&str, &str)])] = &[
    ("monoio", &[]),
    ("process::exit", &[]),
    ("SystemTime::now", &[]),
    (
        "Instant::now",
        &[
            (
                "admin/http.rs",
                "the admin port has threads of its own, so that it answers when a shard does not",
            ),
            ("process/plane.rs", "the process's own thread waits for its shards to drain"),
        ],
    ),
    (
        "thread::sleep",
        &[
            (
                "admin/mod.rs",
                "the admin port has threads of its own, so that it answers when a shard does not",
            ),
            (
                "process/plane.rs",
                "the process's own thread, or that of the configuration, waits for a mailbox",
            ),
            ("config/follow.rs", "the configuration is followed by a thread of its own"),
        ],
    ),
    (
        "eagre_wal",
        &[
            ("store/", "the store is the port to the log"),
            ("tuning/relations.rs", "a configuration is judged by what fits into a record of the log"),
        ],
    ),
];

/// Bounds of a file: one idea, which a reader takes in as a whole.
const FILE_LINES_MAX: usize = 500;

/// Files that have grown over it and are still to be divided.
const TO_DIVIDE: &[&str] = &[];

struct Source {
    /// Relative to the crate's `src`.
    path: String,
    text: String,
}

fn manifest() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(src: &Path) -> Vec<Source> {
    let (mut directories, mut sources) = (vec![src.to_owned()], Vec::new());
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push(Source { path: path.strip_prefix(src).unwrap().display().to_string(), text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn data_plane() -> Vec<Source> {
    sources(&manifest().join("src"))
}

/// The rooms in the order of `lib.rs`, the highest first.
fn rooms() -> Vec<String> {
    let lib = fs::read_to_string(manifest().join("src/lib.rs")).unwrap();
    let tokens = tokens(&lib);
    let declared = tokens.windows(3).filter(|window| window[0].1 == "mod" && window[2].1 == ";");
    declared.map(|window| window[1].1.to_owned()).collect()
}

/// The module that a file is.
fn module(path: &str) -> Vec<&str> {
    let path = path.strip_suffix(".rs").unwrap();
    path.strip_suffix("/mod").unwrap_or(path).split('/').collect()
}

/// What a file names that it may not.
fn back_edges(rooms: &[String], Source { path, text }: &Source) -> Vec<String> {
    let module = module(path);
    let place = |room: &str| rooms.iter().position(|name| name == room);
    let own = place(module[0]).unwrap_or_else(|| panic!("{path} is in no room of lib.rs"));
    let judge = |(line, named): (usize, Vec<String>)| {
        let named = named.first().map_or("", String::as_str);
        let why = match place(named) {
            None => "is no room",
            Some(other) if other < own => "stands above",
            Some(_) if (module[0], named) == ("ingress", "delivery") => "meets it in the store only",
            Some(_) => return None,
        };
        Some(format!("{path}:{line}: names {named:?}, which {why}"))
    };
    paths(text, &module).into_iter().filter_map(judge).collect()
}

/// What a file names of the outside world.
fn outside(Source { path, text }: &Source) -> Vec<String> {
    let tokens = tokens(text);
    let is_within = |place: &str| path == place || (place.ends_with('/') && path.starts_with(place));
    let judged = OUTSIDE.iter().filter(|(_, allowed)| !allowed.iter().any(|(place, _)| is_within(place)));
    judged
        .filter(|_| !is_within("runtime/"))
        .flat_map(|(name, _)| lines_naming(&tokens, name).into_iter().map(move |line| (name, line)))
        .map(|(name, line)| format!("{path}:{line}: names {name}, which is left to runtime/"))
        .collect()
}

fn source(path: &str, text: &str) -> Source {
    Source { path: path.into(), text: text.into() }
}

#[test]
fn no_room_names_one_above_it() {
    let rooms = rooms();
    assert!(rooms.len() > 8 && rooms.iter().any(|room| room == "store"), "{rooms:?}");
    let files = data_plane();
    let inside = files.iter().filter(|file| !["lib.rs", "main.rs"].contains(&file.path.as_str()));
    let found: Vec<_> = inside.flat_map(|file| back_edges(&rooms, file)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn a_back_edge_is_found_however_it_is_written() {
    let rooms = ["shard", "ingress", "delivery", "store"].map(String::from);
    let lines = |path, text| -> Vec<usize> {
        let found = back_edges(&rooms, &source(path, text));
        found.iter().map(|found| found.split(':').nth(1).unwrap().parse().unwrap()).collect()
    };
    for planted in [
        "use crate::delivery::Lane;",
        "use crate::{store::Offset, delivery};",
        "use crate::{\n    store::{Offset, read},\n    delivery::{self, lane as l},\n};",
        "fn f(x: crate::delivery::Lane) {}",
        "use super::super::delivery::Lane;",
        "mod inner { mod deeper { use super::super::super::super::delivery; } }",
        "pub(in crate::delivery) fn f() {}",
        "use crate::whatever::Is;",
        "const A: char = '\"'; use crate::delivery::Lane; const B: char = '\"';",
        "fn f<'a>(a: &'a str) -> &'a str { crate::delivery::f(a) }",
        "const A: &str = r#\"\"\"#; use crate::delivery::Lane;",
    ] {
        assert!(!lines("store/read.rs", planted).is_empty(), "{planted}");
    }
    assert_eq!(lines("ingress/mod.rs", "\nuse crate::delivery;"), [2]);
    assert_eq!(lines("delivery/pool.rs", "\n\nuse crate::ingress;"), [3]);
    for fine in [
        "// use crate::delivery;\n/* crate::shard /* crate::delivery */ */",
        "const A: &str = \"crate::delivery\";",
        "use crate::store::delivery; pub(crate) use super::read; use self::delivery::X;",
        "mod tests { use super::super::Offset; use super::*; }",
    ] {
        assert_eq!(lines("store/read.rs", fine), [0; 0], "{fine}");
    }
    assert_eq!(lines("shard/mod.rs", "use crate::{ingress, delivery, store};"), [0; 0]);
}

#[test]
fn the_outside_world_is_met_in_one_place() {
    let files = data_plane();
    let found: Vec<_> = files.iter().flat_map(outside).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
    // An exception that nobody needs is none.
    for (name, place) in
        OUTSIDE.iter().flat_map(|(name, allowed)| allowed.iter().map(move |(place, _)| (name, place)))
    {
        let uses = |file: &Source| {
            file.path.starts_with(place) && !lines_naming(&tokens(&file.text), name).is_empty()
        };
        assert!(files.iter().any(uses), "{place} has no need to name {name}");
    }
}

#[test]
fn what_is_left_to_the_runtime_is_found_elsewhere() {
    let found = |path, text| outside(&source(path, text)).len();
    for planted in [
        "let now = Instant::now();",
        "let now = std::time::SystemTime::now();",
        "use monoio::net;",
        "std::thread::sleep(pause);",
        "std::process::exit(1);",
        "use eagre_wal::Log;",
    ] {
        assert_eq!(found("delivery/pool.rs", planted), 1, "{planted}");
        assert_eq!(found("runtime/time.rs", planted), 0, "{planted}");
    }
    assert_eq!(found("store/read.rs", "use eagre_wal::Log;"), 0);
    assert_eq!(found("delivery/pool.rs", "// Instant::now\ntime::now(); let monoio_ = 1;"), 0);
}

#[test]
fn no_file_is_too_long_to_be_read_as_a_whole() {
    let workspace = manifest().parent().unwrap();
    let mut too_long = Vec::new();
    for entry in fs::read_dir(workspace).unwrap() {
        let entry = entry.unwrap();
        let (name, src) = (entry.file_name().display().to_string(), entry.path().join("src"));
        if !src.is_dir() {
            continue;
        }
        let count = |file: Source| (file.text.lines().count(), format!("{name}/src/{}", file.path));
        let mut files: Vec<_> = sources(&src).into_iter().map(count).collect();
        files.sort();
        println!("{name}: {} files, median {} lines", files.len(), files[files.len() / 2].0);
        too_long.extend(files.into_iter().filter(|(lines, _)| *lines > FILE_LINES_MAX).map(|(_, path)| path));
    }
    too_long.sort();
    assert_eq!(too_long, TO_DIVIDE, "longer than {FILE_LINES_MAX} lines, and what is known to be");
}
