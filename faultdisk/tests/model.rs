//! Random operations against a naive model, with power cuts.
//!
//! The model knows files by their numbers, which a rename and a power cut leave as
//! they are. Before a cut, everything that is read must be what was written last;
//! after one, it must be something that is allowed, and then that is how it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::{FileExt, MetadataExt},
};

use eagre_faultdisk::Loss;
use proptest::{collection::vec, prelude::*};
use support::{Mounted, rename};

mod support;

const DIRECTORIES: [&str; 3] = ["", "a", "b"];
const NAMES: [&str; 8] = ["x", "y", "z", "a/x", "a/y", "b/x", "b/y", "b/z"];
const SECTOR: usize = 512;

#[derive(Clone, Debug)]
enum Step {
    Create(usize),
    Remove(usize),
    Rename(usize, usize),
    Write { name: usize, offset: u64, bytes: usize, fill: u8 },
    SetSize(usize, u64),
    Sync(usize),
    SyncDirectory(usize),
    Cut(Loss),
}

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES.len();
    prop_oneof![
        3 => name().prop_map(Step::Create),
        1 => name().prop_map(Step::Remove),
        2 => (name(), name()).prop_map(|(from, to)| Step::Rename(from, to)),
        5 => (name(), 0..20_000u64, 1..9000usize, 1u8..)
            .prop_map(|(name, offset, bytes, fill)| Step::Write { name, offset, bytes, fill }),
        1 => (name(), 0..20_000u64).prop_map(|(name, size)| Step::SetSize(name, size)),
        3 => name().prop_map(Step::Sync),
        3 => (0..DIRECTORIES.len()).prop_map(Step::SyncDirectory),
        1 => any::<u64>().prop_map(|seed| Step::Cut(Loss::Random(seed))),
        1 => Just(Step::Cut(Loss::Everything)),
    ]
}

/// A file's bytes in both states.
#[derive(Clone, Default)]
struct File {
    seen: Vec<u8>,
    disk: Vec<u8>,
}

impl File {
    /// Each sector is of the one state or the other, as far as the size goes.
    fn allows(&self, found: &[u8]) -> bool {
        let sector = |state: &[u8], at: usize, bytes: usize| {
            let mut sector: Vec<u8> = state.iter().skip(at).take(bytes).copied().collect();
            sector.resize(bytes, 0);
            sector
        };
        let states = [&self.seen, &self.disk];
        let sectors = found.chunks(SECTOR).enumerate().all(|(number, piece)| {
            states.iter().any(|state| sector(state, number * SECTOR, piece.len()) == piece)
        });
        sectors && states.iter().any(|state| state.len() == found.len())
    }
}

#[derive(Default)]
struct Model {
    files: BTreeMap<u64, File>,
    seen: BTreeMap<&'static str, u64>,
    disk: BTreeMap<&'static str, u64>,
    /// What else the disk may have under a name, nothing included.
    maybe: BTreeMap<&'static str, BTreeSet<Option<u64>>>,
}

fn directory_of(name: &str) -> &str {
    name.split_once('/').map_or("", |(directory, _)| directory)
}

impl Model {
    fn change(&mut self, name: &'static str, number: Option<u64>) {
        match number {
            Some(number) => self.seen.insert(name, number),
            None => self.seen.remove(name),
        };
        self.maybe.entry(name).or_default().insert(number);
    }

    fn sync_directory(&mut self, directory: &str) {
        let here = || NAMES.into_iter().filter(|name| directory_of(name) == directory);
        for name in here() {
            // A file that came from elsewhere or went elsewhere has done so whole.
            let before = self.disk.remove(name);
            let passed = self.maybe.remove(name).into_iter().flatten().flatten();
            for number in passed.chain(before).chain(self.seen.get(name).copied()) {
                self.settle(number);
            }
        }
        for name in here() {
            self.maybe.remove(name);
            if let Some(number) = self.seen.get(name) {
                self.disk.insert(name, *number);
            }
        }
    }

    /// A file's last change is on the disk, or may be where it built on others.
    fn settle(&mut self, number: u64) {
        for name in NAMES {
            if self.disk.get(name) == Some(&number) && self.seen.get(name) != Some(&number) {
                self.disk.remove(name);
                // One that is nowhere else has not moved on: what took its name may be lost.
                let has_moved = self.seen.values().any(|seen| *seen == number);
                let stays = (!has_moved).then_some(Some(number));
                self.maybe.entry(name).or_default().extend(stays.into_iter().chain([None]));
            }
            if self.seen.get(name) == Some(&number) {
                self.maybe.entry(name).or_default().insert(Some(number));
            }
        }
    }

    /// What the disk has now, if it may.
    fn adopt(&mut self, found: BTreeMap<&'static str, (u64, Vec<u8>)>, loss: Loss) -> Result<(), String> {
        for name in NAMES {
            let number = found.get(name).map(|(number, _)| *number);
            let maybe = self.maybe.get(name);
            let untouched = maybe.is_none_or(BTreeSet::is_empty);
            if untouched && number != self.disk.get(name).copied() {
                return Err(format!("{name} is {number:?}, and was synced as {:?}", self.disk.get(name)));
            }
            if number.is_some()
                && number != self.disk.get(name).copied()
                && !maybe.is_some_and(|maybe| maybe.contains(&number))
            {
                return Err(format!("{name} is {number:?}, which it never was"));
            }
        }
        let numbers: BTreeSet<_> = found.values().map(|(number, _)| number).collect();
        if numbers.len() < found.len() {
            return Err("a file has two names".to_owned());
        }
        let mut files = BTreeMap::new();
        for (name, (number, bytes)) in &found {
            let file = &self.files[number];
            let allowed = if loss == Loss::Everything { file.disk == *bytes } else { file.allows(bytes) };
            if !allowed {
                return Err(format!("{name} has bytes that it may not have"));
            }
            files.insert(*number, File { seen: bytes.clone(), disk: bytes.clone() });
        }
        let names: BTreeMap<_, _> = found.iter().map(|(name, (number, _))| (*name, *number)).collect();
        *self = Self { files, seen: names.clone(), disk: names, maybe: BTreeMap::new() };
        Ok(())
    }
}

fn find(mounted: &Mounted) -> BTreeMap<&'static str, (u64, Vec<u8>)> {
    let there = NAMES.into_iter().filter(|name| mounted.has(name));
    there
        .map(|name| {
            let number = fs::metadata(mounted.path(name)).expect("the file is there").ino();
            (name, (number, mounted.read(name)))
        })
        .collect()
}

fn run(steps: &[Step]) -> Result<(), String> {
    let mut mounted = Mounted::default();
    for directory in &DIRECTORIES[1..] {
        fs::create_dir(mounted.path(directory)).expect("made");
    }
    mounted.sync_directory("");
    let mut model = Model::default();
    for step in steps {
        apply(step, &mut mounted, &mut model).map_err(|error| format!("at {step:?}: {error}"))?;
        let seen = find(&mounted).into_iter().map(|(name, (number, bytes))| (name, number, bytes));
        let expected =
            model.seen.iter().map(|(name, number)| (*name, *number, model.files[number].seen.clone()));
        if !seen.eq(expected) {
            return Err(format!("after {step:?} something else is seen than was written"));
        }
    }
    Ok(())
}

fn apply(step: &Step, mounted: &mut Mounted, model: &mut Model) -> Result<(), String> {
    let number = |name: usize, model: &Model| model.seen.get(NAMES[name]).copied();
    let open = |name: usize| {
        fs::OpenOptions::new().write(true).open(mounted.path(NAMES[name])).expect("the file is there")
    };
    match *step {
        Step::Create(name) if number(name, model).is_none() => {
            let file = mounted.create(NAMES[name], b"").metadata().expect("stat").ino();
            model.files.insert(file, File::default());
            model.change(NAMES[name], Some(file));
        }
        Step::Remove(name) if number(name, model).is_some() => {
            fs::remove_file(mounted.path(NAMES[name])).expect("removed");
            model.change(NAMES[name], None);
        }
        Step::Rename(from, to) if from != to && number(from, model).is_some() => {
            rename(&mounted.path(NAMES[from]), &mounted.path(NAMES[to])).expect("renamed");
            let file = number(from, model);
            model.change(NAMES[from], None);
            model.change(NAMES[to], file);
        }
        Step::Write { name, offset, bytes, fill } => {
            let Some(file) = number(name, model) else { return Ok(()) };
            open(name).write_all_at(&vec![fill; bytes], offset).expect("written");
            let seen = &mut model.files.get_mut(&file).expect("a file that is seen").seen;
            let end = offset as usize + bytes;
            seen.resize(seen.len().max(end), 0);
            seen[offset as usize..end].fill(fill);
        }
        Step::SetSize(name, size) => {
            let Some(file) = number(name, model) else { return Ok(()) };
            open(name).set_len(size).expect("set");
            model.files.get_mut(&file).expect("a file that is seen").seen.resize(size as usize, 0);
        }
        Step::Sync(name) => {
            let Some(file) = number(name, model) else { return Ok(()) };
            open(name).sync_data().expect("synced");
            let file = model.files.get_mut(&file).expect("a file that is seen");
            file.disk.clone_from(&file.seen);
        }
        Step::SyncDirectory(directory) => {
            mounted.sync_directory(DIRECTORIES[directory]);
            model.sync_directory(DIRECTORIES[directory]);
        }
        Step::Cut(loss) => {
            mounted.cut(loss);
            model.adopt(find(mounted), loss)?;
        }
        Step::Create(_) | Step::Remove(_) | Step::Rename(..) => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_disk_does_what_the_model_allows(steps in vec(step(), 1..80)) {
        run(&steps).map_err(TestCaseError::fail)?;
    }
}

/// The file that was replaced had once passed through a directory that is synced later:
/// that says nothing of the rename that replaced it.
#[test]
fn a_replaced_file_may_be_back_although_a_directory_it_came_through_is_synced() {
    for seed in 0..16 {
        let [x, z, a_x, b_x, b_z] = [0, 2, 3, 5, 7];
        let steps = [
            Step::Create(b_x),
            Step::Create(b_z),
            Step::Rename(b_z, x),
            Step::Rename(b_x, a_x),
            Step::Rename(a_x, z),
            Step::SyncDirectory(0),
            Step::Rename(x, z),
            Step::SyncDirectory(1),
            Step::Cut(Loss::Random(seed)),
        ];
        run(&steps).expect("allowed");
    }
}
