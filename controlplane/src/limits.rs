//! Every bound of the control plane, with its reason.

use std::time::Duration;

/// Manifest files read in one pass. A folder with more is hardly one of manifests.
pub const FILES_MAX: usize = 10_000;

/// Bytes of one manifest file. An API server takes objects of 1.5 MiB; a file
/// may hold many of them.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// Bytes of all manifest files together; they are held in memory while running.
pub const FILES_BYTES_MAX: u64 = 64 << 20;

/// Folders below a folder given with `-f`; also ends symbolic link loops.
pub const FOLDER_DEPTH_MAX: usize = 32;

/// Nesting of a YAML document: 17 filters inside each other, two levels each,
/// where hand-written ones stay below ten. Reading recurses, and a level takes
/// up to 32 KiB of a thread's 2 MiB of stack in an unoptimised build.
pub const YAML_DEPTH_MAX: usize = 40;

/// Documents of one file.
pub const YAML_DOCUMENTS_MAX: usize = 100_000;

/// YAML nodes of one file, aliases expanded: room for 100,000 triggers.
pub const YAML_NODES_MAX: usize = 4_000_000;

/// YAML events replayed for aliases in one file: a manifest needs a handful,
/// and each multiplies what it names.
pub const YAML_ALIAS_EVENTS_MAX: usize = 100_000;

/// Characters of a name: an RFC 1123 subdomain.
pub const NAME_LENGTH_MAX: usize = 253;

/// Characters of a namespace: an RFC 1123 label.
pub const NAMESPACE_LENGTH_MAX: usize = 63;

/// Digits before, and digits after, the decimal point of a duration component:
/// with these all arithmetic fits 128 bits.
pub const DURATION_DIGITS_MAX: usize = 18;

/// The longest duration taken: what a snapshot may carry.
pub const DURATION_MAX: Duration = Duration::from_millis(eagre_snapshot::DURATION_MS_MAX);

/// Keys of other classes named in the remark about a broker's ConfigMap.
/// Knative's own have up to six.
pub const FOREIGN_KEYS_NAMED_MAX: usize = 8;

/// Remarks printed after one pass; the rest is counted.
pub const DIAGNOSTICS_PRINTED_MAX: usize = 200;

/// Quiet time after a change before the files are read: an editor's save is
/// several events.
pub const SETTLE: Duration = Duration::from_millis(50);

/// The most that further changes may put a read off, so that an edit is
/// published within 500 ms even while other files keep changing.
pub const SETTLE_MAX: Duration = Duration::from_millis(250);

/// Pause between full reads when the file system reports changes: the safety
/// net for lost reports and network file systems.
pub const REREAD: Duration = Duration::from_secs(2);

/// Pause between two looks whether the snapshot folder is still the one that was
/// opened: two calls of `stat`.
pub const FOLLOW: Duration = Duration::from_millis(250);

/// Pause between full reads when the file system cannot report changes.
pub const REREAD_UNWATCHED: Duration = Duration::from_millis(250);

/// Pause before the first look at the data plane's stats page after a
/// generation was published; each further pause is twice as long.
pub const STATUS_INTERVAL_MIN: Duration = Duration::from_millis(10);

/// The longest pause between two looks.
pub const STATUS_INTERVAL: Duration = Duration::from_millis(200);

/// Signals and change notices waiting for the main loop. A change notice that
/// finds no room is dropped: the ones before it cause the same read.
pub const NOTICES_MAX: usize = 16;
