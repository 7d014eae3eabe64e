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

/// Notices of watches that wait for the one task that acts on them. A watch that finds
/// no room waits, and with it the API server.
pub const WATCH_NOTICES_MAX: usize = 1024;

/// Notices taken in before anything else is looked at.
pub const WATCH_NOTICES_BATCH: usize = 256;

/// Quiet time after a change in a cluster before it is compiled: `kubectl apply` of a
/// folder is many changes.
pub const CLUSTER_SETTLE: Duration = Duration::from_millis(10);

/// The most that further changes may put that off.
pub const CLUSTER_SETTLE_MAX: Duration = Duration::from_millis(100);

/// How long the API server keeps a watch open before it is opened again from where it
/// was, so that one that went silent is noticed: the connection is given up after
/// [`API_SILENCE_MAX`].
pub const WATCH_DURATION: Duration = Duration::from_secs(50);

/// Silence of an API server after which a request is given up.
pub const API_SILENCE_MAX: Duration = Duration::from_secs(70);

/// Time for a connection to the API server.
pub const API_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for one request that is no watch: a third of a leader's lease, so that a
/// request that hangs costs one renewal.
pub const API_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause before a kind is looked up again that the API server does not have; doubles up
/// to the second.
pub const KIND_RETRY_MIN: Duration = Duration::from_millis(500);
/// See [`KIND_RETRY_MIN`].
pub const KIND_RETRY_MAX: Duration = Duration::from_secs(30);

/// Without a renewal for so long, an agent does not count any more.
pub const AGENT_LEASE: Duration = Duration::from_secs(15);

/// How often an agent renews when there is nothing to say.
pub const AGENT_RENEWAL: Duration = Duration::from_secs(5);

/// The least time between two reports of an agent: five writes a second however many
/// triggers change.
pub const AGENT_REPORT_INTERVAL: Duration = Duration::from_millis(200);

/// How often an agent looks at a data plane that has nothing to catch up with.
pub const AGENT_LOOK: Duration = Duration::from_millis(500);

/// Signs of life of a shard may be this old: it gives one every second or so.
pub const SHARD_SILENCE_MAX: Duration = Duration::from_secs(5);

/// Published configurations whose arrival is followed; older ones are not asked about.
pub const PENDING_MAX: usize = 64;

/// Sums of stamps in a report: at least so many, so that few objects share one.
pub const STAMP_BUCKETS_MIN: usize = 64;

/// At most so many: 22 KiB of an annotation, of which an object may have 256.
pub const STAMP_BUCKETS_MAX: usize = 2048;

/// How long a state is kept to oneself that is about to pass: a trigger that every data
/// plane is about to have is written once, as ready.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// The same while no data plane is there: one that restarts is back in a moment.
pub const PATIENCE_WITHOUT_DATA_PLANE: Duration = Duration::from_secs(10);

/// The same for a trigger whose broker is not there, and which another class may have
/// had: its controller comes first.
pub const PATIENCE_WITHOUT_BROKER: Duration = Duration::from_secs(5);

/// How long the first look waits for kinds that take long to be listed.
pub const FIRST_LISTS_MAX: Duration = Duration::from_secs(30);

/// The wait after a report that could not be written.
pub const AGENT_RETRY: Duration = Duration::from_secs(1);

/// Time to say goodbye to the API server.
pub const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Status writes under way at once.
pub const WRITES_IN_FLIGHT_MAX: usize = 16;

/// Status writes a second, on average over a few.
pub const WRITES_PER_SECOND: u32 = 400;

/// The wait after a status write that failed; doubles up to the second.
pub const WRITE_DELAY_MIN: Duration = Duration::from_millis(100);
/// See [`WRITE_DELAY_MIN`].
pub const WRITE_DELAY_MAX: Duration = Duration::from_secs(30);

/// A leader's lease: another one may lead this long after its last renewal.
pub const LEADER_LEASE: Duration = Duration::from_secs(15);

/// How long a leader trusts its own lease: less, by a request and then some.
pub const LEADER_TRUST: Duration = Duration::from_secs(10);

/// How often a leader renews, and others look.
pub const LEADER_RENEWAL: Duration = Duration::from_secs(2);

const _: () = {
    assert!(LEADER_RENEWAL.as_secs() + API_REQUEST_TIMEOUT.as_secs() < LEADER_TRUST.as_secs());
    assert!(LEADER_TRUST.as_secs() + API_REQUEST_TIMEOUT.as_secs() <= LEADER_LEASE.as_secs());
    assert!(WATCH_DURATION.as_secs() < API_SILENCE_MAX.as_secs());
    assert!(AGENT_RENEWAL.as_secs() * 3 <= AGENT_LEASE.as_secs());
    assert!(STAMP_BUCKETS_MIN.is_power_of_two() && STAMP_BUCKETS_MAX.is_power_of_two());
};
