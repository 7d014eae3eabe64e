//! The disk of the machine: one directory of segments for each log.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use eagre_wal::{Fsync, Kind, Log, OpenError, Options, Recovery};

use super::{Moment, Shared, storage::Gate};
use crate::{disk::Disk, faults::Faults, file::File, random::Random, trace::Trace};

const EMFILE: i32 = 24;

pub(crate) struct Disks {
    random: Random,
    trace: Trace,
    by_directory: BTreeMap<PathBuf, Disk>,
    /// Directories that were removed and that a loss of power may bring back.
    removed: Vec<(PathBuf, Disk)>,
    /// What every disk has of faults.
    faults: Faults,
    is_full: bool,
    is_out_of_descriptors: bool,
    /// Logs that were made, were removed, and came back with the power, by the
    /// name of the directory that they lie in.
    pub(crate) made: BTreeMap<String, u64>,
    pub(crate) removals: u64,
    pub(crate) returns: u64,
}

impl Disks {
    pub(crate) fn new(random: Random, trace: Trace) -> Self {
        Self {
            random,
            trace,
            by_directory: BTreeMap::new(),
            removed: Vec::new(),
            faults: Faults::default(),
            is_full: false,
            is_out_of_descriptors: false,
            made: BTreeMap::new(),
            removals: 0,
            returns: 0,
        }
    }

    /// Opens the log in a directory.
    pub(crate) fn open(
        &mut self,
        shared: &Arc<Shared>,
        directory: &Path,
        options: Options,
    ) -> Result<(Log, Recovery), OpenError> {
        let path = directory.to_owned();
        if shared.habits().descriptors_gone {
            let source = io::Error::from_raw_os_error(EMFILE);
            return Err(OpenError::Io { path, doing: "open the log", source });
        }
        let disk = self.disk(&path);
        let is_backlog = directory.parent().is_some_and(|place| place.ends_with("backlog"));
        let moment = if is_backlog { Moment::Moved } else { Moment::Synced };
        let gate = Gate::new(disk, shared, moment);
        let opened = Log::open_on(Box::new(gate), directory, options);
        match &opened {
            Ok((log, recovery)) => shared.line(format_args!(
                "log {} opens: {} records, end {}, cut off {:?}, clamped {:?}",
                directory.display(),
                recovery.records,
                log.end(),
                recovery.truncated,
                recovery.clamped,
            )),
            Err(error) => shared.line(format_args!("log {} does not open: {error}", directory.display())),
        }
        opened
    }

    /// The disk of a directory, made if need be.
    fn disk(&mut self, directory: &Path) -> Disk {
        if let Some(disk) = self.by_directory.get(directory) {
            return disk.clone();
        }
        let disk = Disk::seeded(self.random.fork(), self.trace.clone());
        disk.state().faults = self.faults;
        disk.state().is_full = self.is_full;
        disk.state().is_out_of_descriptors = self.is_out_of_descriptors;
        let place = directory.parent().and_then(Path::file_name).unwrap_or_default();
        *self.made.entry(place.to_string_lossy().into_owned()).or_default() += 1;
        self.by_directory.insert(directory.to_owned(), disk.clone());
        disk
    }

    /// Another process appends a record to the log in a directory, durably.
    pub(crate) fn append(&self, directory: &Path, segment_bytes: u64, kind: Kind, body: &[u8]) {
        let options = Options { segment_bytes, ..Options::default() };
        let (mut log, _) =
            self.by_directory[directory].open(&options).expect("the log of a process that stopped");
        log.append(kind, 0, Fsync::Always, &[body]).expect("a log that is far from full");
        while log.durable() < log.end() {
            log.submit().expect("a disk without faults");
            log.poll().expect("a disk without faults");
        }
        drop(log);
        self.by_directory[directory].kill();
    }

    /// Logs that are there.
    pub(crate) fn logs(&self) -> usize {
        self.by_directory.len()
    }

    /// Directories below one.
    pub(crate) fn list(&self, directory: &Path) -> Vec<String> {
        let below = self.by_directory.keys().filter(|path| path.parent() == Some(directory));
        below.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect()
    }

    pub(crate) fn remove(&mut self, directory: &Path) {
        if let Some(disk) = self.by_directory.remove(directory) {
            self.removals += 1;
            self.removed.push((directory.to_owned(), disk));
        }
    }

    /// The next process dies while it opens one of its logs.
    pub(crate) fn die_in(&mut self, random: &mut Random) {
        // Dead letters are not opened at the start.
        let opened = self.by_directory.iter().filter(|(path, _)| !path.ends_with("dead-letters"));
        let disks: Vec<&Disk> = opened.map(|(_, disk)| disk).collect();
        if !disks.is_empty() {
            let disk = disks[random.below(disks.len() as u64) as usize];
            disk.state().dies_in = Some(random.below(6));
        }
    }

    /// No process dies any more while it opens its logs.
    pub(crate) fn live(&self) {
        self.by_directory.values().for_each(|disk| disk.state().dies_in = None);
    }

    /// The process has ended: the kernel keeps what it was given.
    pub(crate) fn kill(&mut self) {
        for disk in self.by_directory.values() {
            disk.kill();
            disk.state().dies_in = None;
        }
    }

    /// The power has failed.
    pub(crate) fn cut_power(&mut self) {
        self.by_directory.values().for_each(Disk::cut_power);
        for (directory, disk) in std::mem::take(&mut self.removed) {
            // That a directory is gone was not synced.
            if self.random.coin() && !self.by_directory.contains_key(&directory) {
                disk.cut_power();
                disk.state().dies_in = None;
                self.returns += 1;
                self.by_directory.insert(directory, disk);
            }
        }
    }

    /// From now on.
    pub(crate) fn set(&mut self, faults: Faults, is_full: bool, is_out_of_descriptors: bool) {
        (self.faults, self.is_full, self.is_out_of_descriptors) = (faults, is_full, is_out_of_descriptors);
        for disk in self.by_directory.values() {
            let mut state = disk.state();
            state.faults = faults;
            state.is_full = is_full;
            state.is_out_of_descriptors = is_out_of_descriptors;
        }
    }

    /// What went wrong on it was more than a crash.
    pub(crate) fn has_lost(&self) -> bool {
        self.by_directory.values().any(|disk| disk.state().has_lost())
    }

    /// The logs in directories of a name, with what is on their platter or what
    /// the kernel shows, each as a disk of its own.
    pub(crate) fn images(&self, name: &str, on_platter: bool) -> Vec<(PathBuf, Disk)> {
        let bytes = |file: &File| if on_platter { file.platter().to_vec() } else { file.cache().to_vec() };
        let image = |disk: &Disk| {
            let files = disk.state().files.iter().map(|(base, file)| (*base, bytes(file))).collect();
            Disk::with(&files)
        };
        let named = self.by_directory.iter().filter(|(path, _)| path.ends_with(name));
        named.map(|(path, disk)| (path.clone(), image(disk))).collect()
    }

    /// A number that two runs of a seed share.
    pub(crate) fn hash(&self) -> u64 {
        let hashes = self.by_directory.values().map(|disk| disk.state().trace.hash());
        hashes.fold(0, |sum: u64, hash| sum.rotate_left(7) ^ hash)
    }
}
