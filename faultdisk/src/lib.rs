//! A FUSE file system that forgets what was not synced.
//!
//! # What it promises
//!
//! - A disk in memory with two states: what programs see, and what the disk has.
//!   A file's bytes and size reach the disk by `fsync`, `fdatasync` or `msync` of
//!   the file; a name that was made, changed or removed by `fsync` of its
//!   directory. [`FaultDisk::power_cut`] makes what is seen what the disk has.
//!   What was synced is always there.
//! - Of the rest, a seed decides ([`Loss::Random`]), or nothing is left
//!   ([`Loss::Everything`]): each page of 4 KiB is old, new, or old in some of
//!   its sectors of 512 bytes and new in others; each size is old or new; each
//!   creation, rename and removal has happened or has not, whatever happened to
//!   those before it. A rename happens whole. A file whose name never was on the
//!   disk is gone with its synced bytes.
//! - At any time operations can be made to fail, and syncs to be slow, to hang, or
//!   to forget what they failed to write ([`Faults`]).
//! - The kernel's page cache lies above it as above any file system, so that maps,
//!   `pwrite`, io_uring and `posix_fadvise` go the same ways as on a real disk. A
//!   power cut ends the mount, and the cache with it.
//!
//! # What it does not do
//!
//! - It is harsher than ext4 with names: there, one journal keeps all changes in
//!   order. POSIX promises no order, and neither does this.
//! - Of a page that was written more than once between two syncs, the disk has the
//!   first or the last state, none between. Nothing reaches it unasked.
//! - Modes, owners and times are on the disk at once. `sync` and `syncfs` of the
//!   whole file system reach no FUSE server, and make nothing durable.
//! - A file has one name: no hard links, and no symbolic ones, special files,
//!   extended attributes or `fallocate`. Names are not exchanged.
//! - It rots no synced bytes.
//!
//! # What it takes
//!
//! Linux, `/dev/fuse`, and the right to mount, which is root's. No helper program
//! and no C library. Whoever has not got these is told so by [`Error`].
//!
//! If the process that serves a mount is killed, the mount stays, and all that is
//! asked of it fails with `ENOTCONN`; [`FaultDisk::mount`] on the same directory
//! clears it. By hand: `findmnt -t fuse.eagre-faultdisk` lists them, `umount -f -l
//! DIRECTORY` clears one. A process that serves a mount and waits for it, as tests
//! do, may not even die before that: the `-f` is what sets it free.
//!
//! # Order of the source
//!
//! `disk` is the handle, `mount` and `server` speak with the kernel, `shared`
//! is the lock; `tree` and `content` are the two states of names and of bytes, and
//! know nothing of FUSE.

mod disk;
mod mount;
mod server;
mod shared;
mod faults;
mod tree;
mod content;
mod cut;
mod error;

pub use rustix::io::Errno;

pub use self::{
    cut::{Cut, Loss},
    disk::{FaultDisk, Options},
    error::Error,
    faults::{Faults, Operation},
};
