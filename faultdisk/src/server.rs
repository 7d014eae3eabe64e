//! The kernel's requests, one after another, each on the tree under its lock.
//! Only syncs may wait, each on a thread of its own then.
//!
//! What is not here the kernel is told it does not exist, once: extended
//! attributes, `fallocate`, links, special files. Locks of files stay in the
//! kernel.

use std::{
    ffi::OsStr,
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use fuser::{
    BsdFileFlags, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::io::Errno;

use crate::{
    content::PAGE_BYTES,
    faults::Operation,
    shared::{Shared, State},
    tree::{Attributes, Body, Node, Number},
};

/// How long the kernel may rely on what it was told: for ever. Nothing changes
/// but by its own requests, and a power cut ends the mount.
const FOR_EVER: Duration = Duration::from_secs(1 << 30);
/// The kernel keeps what it has cached when a file is opened again, and asks for
/// nothing when it is closed: a process that serves its own files and is killed
/// would wait for the answer for ever.
const OPENED: FopenFlags = FopenFlags::FOPEN_KEEP_CACHE.union(FopenFlags::FOPEN_NOFLUSH);
/// The type bits of a mode are the kernel's business.
const MODE_BITS: u32 = 0o7777;
/// Bytes of the longest name.
const NAME_BYTES_MAX: u32 = 255;

/// Serves one mount.
pub(crate) struct Server {
    pub(crate) shared: Arc<Shared>,
    /// See [`State::mounts_ended`].
    pub(crate) mount: u64,
}

impl Server {
    /// Does an operation that can be made to fail.
    fn act<T>(
        &self,
        operation: Operation,
        act: impl FnOnce(&mut State) -> Result<T, Errno>,
    ) -> Result<T, fuser::Errno> {
        let mut state = self.shared.lock();
        let done = state.switches.begin(operation).and_then(|()| act(&mut state));
        done.map_err(to_fuse)
    }

    fn create(&self, make: &Make<'_>) -> Result<FileAttr, fuser::Errno> {
        self.act(Operation::Create, |state| {
            let attributes = Attributes {
                mode: (make.mode & !make.umask & MODE_BITS) as u16,
                user: make.request.uid(),
                group: make.request.gid(),
                modified: SystemTime::now(),
            };
            let number = state.tree.create(make.parent.0, make.name, attributes, make.is_directory)?;
            handed_out(state, number)
        })
    }

    fn remove(&self, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(self.act(Operation::Remove, |state| state.tree.remove(parent.0, name)), reply);
    }

    fn sync(&self, operation: Operation, number: INodeNo, reply: ReplyEmpty) {
        let (shared, mount) = (Arc::clone(&self.shared), self.mount);
        let sync = move || answer(shared.sync(operation, number.0, mount).map_err(to_fuse), reply);
        if self.shared.syncs_wait() {
            // There are no more of them than threads that sync.
            thread::spawn(sync);
        } else {
            sync();
        }
    }
}

/// A file or directory to be made.
struct Make<'a> {
    request: &'a Request,
    parent: INodeNo,
    name: &'a OsStr,
    mode: u32,
    umask: u32,
    is_directory: bool,
}

fn to_fuse(errno: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(errno.raw_os_error())
}

fn answer(result: Result<(), fuser::Errno>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(errno),
    }
}

/// The kernel gets a reference.
fn handed_out(state: &mut State, number: Number) -> Result<FileAttr, Errno> {
    let node = state.tree.node_mut(number)?;
    node.held += 1;
    Ok(describe(number, node))
}

fn describe(number: Number, node: &Node) -> FileAttr {
    let Attributes { mode, user, group, modified } = node.attributes;
    let (kind, size, blocks) = match &node.body {
        Body::File(content) => {
            (FileType::RegularFile, content.bytes(), content.pages() * (PAGE_BYTES as u64 / 512))
        }
        Body::Directory(_) => (FileType::Directory, 0, 0),
    };
    FileAttr {
        ino: INodeNo(number),
        size,
        blocks,
        atime: modified,
        mtime: modified,
        ctime: modified,
        crtime: modified,
        kind,
        perm: mode,
        nlink: u32::from(node.named),
        uid: user,
        gid: group,
        rdev: 0,
        blksize: PAGE_BYTES as u32,
        flags: 0,
    }
}

impl Filesystem for Server {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let mut state = self.shared.lock();
        match state.tree.lookup(parent.0, name).and_then(|number| handed_out(&mut state, number)) {
            Ok(attributes) => reply.entry(&FOR_EVER, &attributes, Generation(0)),
            Err(errno) => reply.error(to_fuse(errno)),
        }
    }

    fn forget(&self, _: &Request, number: INodeNo, references: u64) {
        self.shared.lock().tree.forget(number.0, references);
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.shared.lock().tree.node(number.0) {
            Ok(node) => reply.attr(&FOR_EVER, &describe(number.0, node)),
            Err(errno) => reply.error(to_fuse(errno)),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        mode: Option<u32>,
        user: Option<u32>,
        group: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        if let Some(size) = size
            && let Err(errno) = self.act(Operation::SetSize, |state| state.tree.set_bytes(number.0, size))
        {
            return reply.error(errno);
        }
        match self.shared.lock().tree.node_mut(number.0) {
            Ok(node) => {
                let attributes = &mut node.attributes;
                attributes.mode = mode.map_or(attributes.mode, |mode| (mode & MODE_BITS) as u16);
                attributes.user = user.unwrap_or(attributes.user);
                attributes.group = group.unwrap_or(attributes.group);
                attributes.modified = match modified {
                    Some(TimeOrNow::SpecificTime(time)) => time,
                    Some(TimeOrNow::Now) => SystemTime::now(),
                    None => attributes.modified,
                };
                reply.attr(&FOR_EVER, &describe(number.0, node));
            }
            Err(errno) => reply.error(to_fuse(errno)),
        }
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        match self.create(&Make { request, parent, name, mode, umask, is_directory: true }) {
            Ok(attributes) => reply.entry(&FOR_EVER, &attributes, Generation(0)),
            Err(errno) => reply.error(errno),
        }
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        match Self::create(self, &Make { request, parent, name, mode, umask, is_directory: false }) {
            Ok(attributes) => reply.created(&FOR_EVER, &attributes, Generation(0), FileHandle(0), OPENED),
            Err(errno) => reply.error(errno),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.remove(parent, name, reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.remove(parent, name, reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if flags.intersects(!RenameFlags::RENAME_NOREPLACE) {
            return reply.error(fuser::Errno::EINVAL);
        }
        let renamed = self.act(Operation::Rename, |state| {
            let is_taken = state.tree.lookup(new_parent.0, new_name).is_ok();
            if is_taken && flags.contains(RenameFlags::RENAME_NOREPLACE) {
                return Err(Errno::EXIST);
            }
            state.tree.rename((parent.0, name), (new_parent.0, new_name))
        });
        answer(renamed, reply);
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), OPENED);
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read =
            self.act(Operation::Read, |state| Ok(state.tree.file(number.0)?.read(offset, bytes as usize)));
        match read {
            Ok(data) => reply.data(&data),
            Err(errno) => reply.error(errno),
        }
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.act(Operation::Write, |state| state.tree.write(number.0, offset, data)) {
            Ok(()) => reply.written(data.len() as u32),
            Err(errno) => reply.error(errno),
        }
    }

    fn fsync(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(Operation::Sync, number, reply);
    }

    fn fsyncdir(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(Operation::SyncDirectory, number, reply);
    }

    /// A name's position is its file's number, so that names may come and go
    /// while a directory is read.
    fn readdir(&self, _: &Request, number: INodeNo, _: FileHandle, after: u64, mut reply: ReplyDirectory) {
        let tree = &self.shared.lock().tree;
        let (parent, names) = match (tree.parent(number.0), tree.list(number.0)) {
            (Ok(parent), Ok(names)) => (parent, names),
            (Err(errno), _) | (_, Err(errno)) => return reply.error(to_fuse(errno)),
        };
        // No file has the number 0, nor 1, which is the root's.
        let mut entries = vec![(0, OsStr::new("."), number.0), (1, OsStr::new(".."), parent)];
        entries.extend(names.iter().map(|(name, number)| (*number, name.as_os_str(), *number)));
        entries.sort_unstable();
        for (position, name, number) in entries.into_iter().skip_while(|entry| entry.0 < after) {
            let is_file = tree.file(number).is_ok();
            let kind = if is_file { FileType::RegularFile } else { FileType::Directory };
            if reply.add(INodeNo(number), position + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let tree = &self.shared.lock().tree;
        let free = tree.capacity_pages.saturating_sub(tree.pages());
        let page = PAGE_BYTES as u32;
        reply.statfs(
            tree.capacity_pages,
            free,
            free,
            tree.len(),
            u64::from(u32::MAX),
            page,
            NAME_BYTES_MAX,
            page,
        );
    }
}
