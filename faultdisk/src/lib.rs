//! A FUSE file system that forgets what was not synced.
