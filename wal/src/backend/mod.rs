//! How writes and syncs reach the kernel: one interface, two ways.
//!
//! One operation is in flight at a time. A backend owns the buffer of a write
//! while the kernel may read it, keeps the file open meanwhile, and signals the
//! event when the operation ended, or cannot begin.

use std::{fs::File, io, sync::Arc, time::Instant};

use crate::{
    options::Backend,
    storage::{Completion, event::Event},
};

mod ring;
mod thread;
#[cfg(test)]
mod tests;

pub(crate) enum Engine {
    Ring(Box<ring::Ring>),
    Thread(thread::Thread),
}

impl Engine {
    pub(crate) fn start(backend: Backend, event: &Event) -> io::Result<Self> {
        Ok(match backend {
            Backend::Ring => Self::Ring(Box::new(ring::Ring::new(event)?)),
            Backend::Thread => Self::Thread(thread::Thread::new(event.clone())?),
        })
    }

    pub(crate) fn write(&mut self, file: Arc<File>, offset: u64, buffer: Vec<u8>, from: usize) {
        match self {
            Self::Ring(ring) => ring.write(file, offset, buffer, from),
            Self::Thread(thread) => thread.write(file, offset, buffer, from),
        }
    }

    pub(crate) fn sync(&mut self, file: Arc<File>) {
        match self {
            Self::Ring(ring) => ring.sync(file),
            Self::Thread(thread) => thread.sync(file),
        }
    }

    /// When to ask for a completion again, though none was signalled.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        match self {
            Self::Ring(ring) => ring.retry_at(),
            Self::Thread(_) => None,
        }
    }

    pub(crate) fn completion(&mut self) -> Option<Completion> {
        match self {
            Self::Ring(ring) => ring.completion(),
            Self::Thread(thread) => thread.completion(),
        }
    }
}
