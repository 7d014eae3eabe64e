//! The backlogs of one shard: opened at the start where they are, made when they
//! are first needed, and bounded together.
//!
//! Owns their directory. A quota for each is judged by `housekeeping`, which
//! knows the brokers.

use std::{cell::RefCell, collections::HashMap, fs, io, path::PathBuf, rc::Rc, thread, time::Duration};

use eagre_snapshot::Id;
use eagre_wal::{Log, OpenError, Options};

use crate::{backlog::Backlog, commit, limits::wal::MOVE_BYTES, net};

/// The backlogs of one shard.
pub(crate) struct Backlogs {
    directory: PathBuf,
    options: Options,
    by_broker: RefCell<HashMap<Id, Rc<Backlog>>>,
}

impl Backlogs {
    /// The backlogs in `directory`, which need not exist. Waits for the disk.
    pub(crate) fn open(directory: PathBuf, options: Options) -> Result<Self, OpenError> {
        let backlogs = Self { directory, options, by_broker: RefCell::default() };
        for broker in backlogs.on_disk().map_err(|source| backlogs.cannot_list(source))? {
            let log = backlogs.open_log(broker)?;
            backlogs.insert(broker, log);
        }
        Ok(backlogs)
    }

    /// The backlog of `broker`, if it has one.
    pub(crate) fn get(&self, broker: Id) -> Option<Rc<Backlog>> {
        self.by_broker.borrow().get(&broker).cloned()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<(Id, Rc<Backlog>)> {
        self.by_broker.borrow().iter().map(|(broker, backlog)| (*broker, Rc::clone(backlog))).collect()
    }

    /// The backlog of `broker`, made if need be; none if that fails.
    pub(crate) async fn get_or_make(&self, broker: Id) -> Option<Rc<Backlog>> {
        if let Some(backlog) = self.get(broker) {
            return Some(backlog);
        }
        let (directory, options) = (self.log_directory(broker), self.options.clone());
        // It waits for the disk, which no shard may.
        let opening = thread::spawn(move || Log::open(&directory, options));
        while !opening.is_finished() {
            net::sleep(OPEN_POLL).await;
        }
        match opening.join().ok()? {
            Ok((log, _)) => {
                let backlog = self.insert(broker, log);
                backlog.flush();
                Some(backlog)
            }
            Err(error) => {
                tracing::error!("cannot make a backlog: {error}");
                None
            }
        }
    }

    /// Begins to flush those that were there at the start.
    pub(crate) fn start(&self) {
        for (_, backlog) in self.all() {
            backlog.flush();
        }
    }

    /// There is room for more in the backlogs taken together.
    pub(crate) fn have_room(&self) -> bool {
        self.bytes() + self.options.segment_bytes <= self.options.max_bytes
    }

    /// Bytes of events that are taken in at once: some milliseconds of work, and
    /// no more than fits a segment of them with every frame.
    pub(crate) fn piece_bytes(&self) -> u64 {
        MOVE_BYTES.min(self.options.segment_bytes / 4)
    }

    /// Bytes of disk that the backlogs take.
    pub(crate) fn bytes(&self) -> u64 {
        self.by_broker.borrow().values().map(|backlog| backlog.log.usage().bytes).sum()
    }

    /// Bytes of disk that they may take.
    pub(crate) fn max_bytes(&self) -> u64 {
        self.options.max_bytes
    }

    /// `broker` may have no further event before its triggers have caught up.
    pub(crate) fn is_over_quota(&self, broker: Id) -> bool {
        self.by_broker.borrow().get(&broker).is_some_and(|backlog| backlog.is_over_quota())
    }

    fn log_directory(&self, broker: Id) -> PathBuf {
        self.directory.join(broker.to_string())
    }

    fn open_log(&self, broker: Id) -> Result<Log, OpenError> {
        let directory = self.log_directory(broker);
        let (log, recovery) = Log::open(&directory, self.options.clone())?;
        commit::report_recovery(&directory, &recovery);
        Ok(log)
    }

    fn insert(&self, broker: Id, log: Log) -> Rc<Backlog> {
        let backlog = Rc::new(Backlog::new(log));
        self.by_broker.borrow_mut().insert(broker, Rc::clone(&backlog));
        backlog
    }

    fn on_disk(&self) -> io::Result<Vec<Id>> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut brokers = Vec::new();
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            match u64::from_str_radix(&name, 16) {
                Ok(id) if Id(id).to_string() == name => brokers.push(Id(id)),
                _ => tracing::warn!(file = name, "not a backlog; it is left alone"),
            }
        }
        Ok(brokers)
    }

    fn cannot_list(&self, source: io::Error) -> OpenError {
        OpenError::Io { path: self.directory.clone(), doing: "list the backlogs", source }
    }
}

const OPEN_POLL: Duration = Duration::from_millis(1);
