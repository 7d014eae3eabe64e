//! Names: those that programs see, and those the disk has.
//!
//! A change of a name is noted until a sync of its directory brings it to the
//! disk. A file or directory has one name at a time, so a change is "from there
//! to here", and either half may be missing.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    ffi::{OsStr, OsString},
    time::SystemTime,
};

use rustix::io::Errno;

use crate::{
    content::{Content, PAGE_BYTES},
    cut::Chance,
};

/// The number of a file or directory. Numbers are not used again.
pub(crate) type Number = u64;

/// The directory at the top.
pub(crate) const ROOT: Number = 1;

/// A name and the directory it is in.
type Place = (Number, OsString);

/// A change of a name that the disk may lack.
struct Change {
    number: Number,
    from: Option<Place>,
    to: Option<Place>,
}

impl Change {
    fn places(&self) -> impl Iterator<Item = &Place> {
        self.from.iter().chain(&self.to)
    }
}

/// What is known of a file besides bytes and name. It is on the disk at once.
#[derive(Clone, Copy)]
pub(crate) struct Attributes {
    pub(crate) mode: u16,
    pub(crate) user: u32,
    pub(crate) group: u32,
    pub(crate) modified: SystemTime,
}

/// What a file or directory holds.
pub(crate) enum Body {
    File(Content),
    Directory(Names),
}

/// Both states of a directory.
#[derive(Default)]
pub(crate) struct Names {
    parent: Number,
    seen: BTreeMap<OsString, Number>,
    disk: BTreeMap<OsString, Number>,
}

/// A file or directory.
pub(crate) struct Node {
    pub(crate) attributes: Attributes,
    pub(crate) body: Body,
    /// It has a name that is seen.
    pub(crate) named: bool,
    /// References that the kernel has.
    pub(crate) held: u64,
}

/// A file system in both states.
pub(crate) struct Tree {
    nodes: BTreeMap<Number, Node>,
    next: Number,
    unsynced: Vec<Change>,
    pub(crate) capacity_pages: u64,
}

impl Tree {
    pub(crate) fn new(capacity_bytes: u64, attributes: Attributes) -> Self {
        let names = Names { parent: ROOT, ..Names::default() };
        let root = Node { attributes, body: Body::Directory(names), named: true, held: 0 };
        Self {
            nodes: BTreeMap::from([(ROOT, root)]),
            next: ROOT + 1,
            unsynced: Vec::new(),
            capacity_pages: capacity_bytes / PAGE_BYTES as u64,
        }
    }

    pub(crate) fn node(&self, number: Number) -> Result<&Node, Errno> {
        self.nodes.get(&number).ok_or(Errno::NOENT)
    }

    pub(crate) fn node_mut(&mut self, number: Number) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&number).ok_or(Errno::NOENT)
    }

    pub(crate) fn file(&self, number: Number) -> Result<&Content, Errno> {
        match &self.node(number)?.body {
            Body::File(content) => Ok(content),
            Body::Directory(_) => Err(Errno::ISDIR),
        }
    }

    fn file_mut(&mut self, number: Number) -> Result<&mut Content, Errno> {
        match &mut self.node_mut(number)?.body {
            Body::File(content) => Ok(content),
            Body::Directory(_) => Err(Errno::ISDIR),
        }
    }

    fn names(&self, directory: Number) -> Result<&Names, Errno> {
        match &self.node(directory)?.body {
            Body::Directory(names) => Ok(names),
            Body::File(_) => Err(Errno::NOTDIR),
        }
    }

    fn names_mut(&mut self, directory: Number) -> Result<&mut Names, Errno> {
        match &mut self.node_mut(directory)?.body {
            Body::Directory(names) => Ok(names),
            Body::File(_) => Err(Errno::NOTDIR),
        }
    }

    /// Pages that are taken by what has a name or is in use.
    pub(crate) fn pages(&self) -> u64 {
        let in_use = self.nodes.values().filter(|node| node.named || node.held > 0);
        in_use.map(|node| if let Body::File(content) = &node.body { content.pages() } else { 0 }).sum()
    }

    /// How many files and directories there are.
    pub(crate) fn len(&self) -> u64 {
        self.nodes.len() as u64
    }

    pub(crate) fn lookup(&self, directory: Number, name: &OsStr) -> Result<Number, Errno> {
        self.names(directory)?.seen.get(name).copied().ok_or(Errno::NOENT)
    }

    /// The directory above.
    pub(crate) fn parent(&self, directory: Number) -> Result<Number, Errno> {
        Ok(self.names(directory)?.parent)
    }

    /// What is in a directory, by name.
    pub(crate) fn list(&self, directory: Number) -> Result<&BTreeMap<OsString, Number>, Errno> {
        Ok(&self.names(directory)?.seen)
    }

    pub(crate) fn create(
        &mut self,
        directory: Number,
        name: &OsStr,
        attributes: Attributes,
        is_directory: bool,
    ) -> Result<Number, Errno> {
        let number = self.next;
        let Entry::Vacant(entry) = self.names_mut(directory)?.seen.entry(name.to_owned()) else {
            return Err(Errno::EXIST);
        };
        entry.insert(number);
        self.next += 1;
        let body = if is_directory {
            Body::Directory(Names { parent: directory, ..Names::default() })
        } else {
            Body::File(Content::default())
        };
        self.nodes.insert(number, Node { attributes, body, named: true, held: 0 });
        self.unsynced.push(Change { number, from: None, to: Some((directory, name.to_owned())) });
        Ok(number)
    }

    pub(crate) fn remove(&mut self, directory: Number, name: &OsStr) -> Result<(), Errno> {
        let number = self.lookup(directory, name)?;
        self.check_empty(number)?;
        self.names_mut(directory)?.seen.remove(name);
        self.node_mut(number)?.named = false;
        self.unsynced.push(Change { number, from: Some((directory, name.to_owned())), to: None });
        Ok(())
    }

    /// Renames, over what has the new name. The kernel has seen to it that both
    /// are files or both directories, and that no directory comes to lie in
    /// itself.
    pub(crate) fn rename(&mut self, from: (Number, &OsStr), to: (Number, &OsStr)) -> Result<(), Errno> {
        let number = self.lookup(from.0, from.1)?;
        let over = self.names(to.0)?.seen.get(to.1).copied();
        if over == Some(number) {
            return Ok(());
        }
        if let Some(over) = over {
            self.check_empty(over)?;
            self.node_mut(over)?.named = false;
        }
        self.names_mut(from.0)?.seen.remove(from.1);
        self.names_mut(to.0)?.seen.insert(to.1.to_owned(), number);
        if let Ok(names) = self.names_mut(number) {
            names.parent = to.0;
        }
        let place = |(directory, name): (Number, &OsStr)| Some((directory, name.to_owned()));
        self.unsynced.push(Change { number, from: place(from), to: place(to) });
        Ok(())
    }

    fn check_empty(&self, number: Number) -> Result<(), Errno> {
        let is_full = self.names(number).is_ok_and(|names| !names.seen.is_empty());
        if is_full { Err(Errno::NOTEMPTY) } else { Ok(()) }
    }

    pub(crate) fn write(&mut self, number: Number, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let added = self.file(number)?.pages_added(offset, data.len());
        if added > 0 && self.pages() + added > self.capacity_pages {
            return Err(Errno::NOSPC);
        }
        self.file_mut(number)?.write(offset, data);
        self.node_mut(number)?.attributes.modified = SystemTime::now();
        Ok(())
    }

    pub(crate) fn set_bytes(&mut self, number: Number, bytes: u64) -> Result<(), Errno> {
        self.file_mut(number)?.set_bytes(bytes);
        self.node_mut(number)?.attributes.modified = SystemTime::now();
        Ok(())
    }

    pub(crate) fn sync_file(&mut self, number: Number) -> Result<(), Errno> {
        self.file_mut(number).map(Content::sync)
    }

    /// See [`Content::forget_unsynced`].
    pub(crate) fn forget_unsynced(&mut self, number: Number) -> Result<(), Errno> {
        self.file_mut(number).map(Content::forget_unsynced)
    }

    /// Brings the changes of a directory to the disk, and the earlier ones that
    /// they build on: those of the same file, and those of the same names.
    pub(crate) fn sync_directory(&mut self, directory: Number) {
        let (mut numbers, mut places) = (BTreeSet::new(), BTreeSet::new());
        let (mut due, mut rest) = (Vec::new(), Vec::new());
        for change in std::mem::take(&mut self.unsynced).into_iter().rev() {
            let is_due = numbers.contains(&change.number)
                || change.places().any(|place| place.0 == directory || places.contains(place));
            if is_due {
                numbers.insert(change.number);
                places.extend(change.places().cloned());
                due.push(change);
            } else {
                rest.push(change);
            }
        }
        due.into_iter().rev().for_each(|change| self.bring_to_disk(change));
        rest.reverse();
        self.unsynced = rest;
        self.sweep();
    }

    fn bring_to_disk(&mut self, Change { number, from, to }: Change) {
        if let Some((directory, name)) = from
            && let Ok(names) = self.names_mut(directory)
            && names.disk.get(&name) == Some(&number)
        {
            names.disk.remove(&name);
        }
        if let Some((directory, name)) = to {
            // A rename is one change: where an earlier one was lost, the file
            // still has an older name on the disk, and loses it now.
            for node in self.nodes.values_mut() {
                if let Body::Directory(names) = &mut node.body {
                    names.disk.retain(|_, other| *other != number);
                }
            }
            if let Ok(names) = self.names_mut(directory) {
                names.disk.insert(name, number);
            }
        }
    }

    /// The kernel gives up references.
    pub(crate) fn forget(&mut self, number: Number, references: u64) {
        if let Ok(node) = self.node_mut(number) {
            node.held = node.held.saturating_sub(references);
            if node.held == 0 && !node.named {
                self.sweep();
            }
        }
    }

    /// The kernel is gone, and with it every reference.
    pub(crate) fn forget_all(&mut self) {
        self.nodes.values_mut().for_each(|node| node.held = 0);
        self.sweep();
    }

    /// Drops what has no name in either state and is not in use.
    fn sweep(&mut self) {
        let mut on_disk: BTreeSet<_> = self.unsynced.iter().map(|change| change.number).collect();
        for node in self.nodes.values() {
            if let Body::Directory(names) = &node.body {
                on_disk.extend(names.disk.values());
            }
        }
        self.nodes.retain(|number, node| node.named || node.held > 0 || on_disk.contains(number));
    }

    /// From here on, what is seen is what the disk has. A file is there if its
    /// name is, and the names of all directories above it.
    pub(crate) fn cut(&mut self, chance: &mut Chance) {
        for change in std::mem::take(&mut self.unsynced) {
            if chance.name() {
                self.bring_to_disk(change);
            }
        }
        let mut reached = BTreeMap::from([(ROOT, ROOT)]);
        let mut directories = vec![ROOT];
        while let Some(directory) = directories.pop() {
            let Ok(names) = self.names(directory) else { continue };
            for number in names.disk.values() {
                reached.insert(*number, directory);
                directories.push(*number);
            }
        }
        self.nodes.retain(|number, _| reached.contains_key(number));
        for (number, node) in &mut self.nodes {
            (node.named, node.held) = (true, 0);
            match &mut node.body {
                Body::File(content) => content.cut(chance),
                Body::Directory(names) => {
                    names.parent = reached[number];
                    names.seen.clone_from(&names.disk);
                }
            }
        }
    }
}
