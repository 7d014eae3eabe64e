//! The disk below the data directory: what it is, how much room it has, and how long it
//! takes to make 4 KiB durable, which is what every producer waits for.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::fs::{Mode, OFlags, StatVfs};

use super::finding::Finding;

/// Writes measured; the median of fewer would follow the disk's moods.
const SYNCS: usize = 50;
/// Bytes of one write.
const WRITE_BYTES: usize = 4096;
/// A median above this is that of a spinning or a remote disk.
const SYNC_SLOW: Duration = Duration::from_millis(10);
/// Room for two segments of the log and their successors, one shard.
const SPACE_MIN: u64 = 256 << 20;
/// Room that lets subscribers be away for a while.
const SPACE_GOOD: u64 = 2 << 30;

/// Examines the directory, or where it would be made.
pub fn findings(data: &Path) -> Vec<Finding> {
    let dir = match existing(data) {
        Ok(dir) => dir,
        Err(error) => {
            let hint = "choose a directory that can be made with --data";
            return vec![Finding::fail("data directory", format!("{}: {error}", data.display()), hint)];
        }
    };
    let mut findings = vec![file_system(data, &dir)];
    findings.extend(rustix::fs::statvfs(&dir).map(|stat| space(&stat)));
    findings.push(sync(&dir));
    findings
}

/// `data`, or its nearest ancestor that exists.
fn existing(data: &Path) -> io::Result<PathBuf> {
    let mut dir = std::path::absolute(data)?;
    while !dir.exists() {
        if !dir.pop() {
            return Err(io::ErrorKind::NotFound.into());
        }
    }
    if dir.is_dir() { Ok(dir) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

fn file_system(data: &Path, dir: &Path) -> Finding {
    const NAME: &str = "data directory";
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let kind = kind(&mounts, dir).unwrap_or("unknown file system");
    let detail = format!("{} on {kind}", data.display());
    match kind {
        "tmpfs" | "ramfs" => Finding::warn(
            NAME,
            detail,
            "this is memory: events do not survive the machine; choose a disk with --data",
        ),
        "overlay" => Finding::warn(
            NAME,
            detail,
            "this goes with the container; mount a volume and name it with --data",
        ),
        network
            if ["nfs", "cifs", "smb3", "9p", "fuse", "ceph"].iter().any(|kind| network.starts_with(kind)) =>
        {
            Finding::warn(
                NAME,
                detail,
                "whether its syncs are durable depends on the other end; prefer a local disk",
            )
        }
        _ => Finding::ok(NAME, detail),
    }
}

/// The type of the file system that holds `dir`, from the text of `/proc/self/mountinfo`:
/// that of the longest mount point above it, the last one where mounts hide others.
fn kind<'a>(mounts: &'a str, dir: &Path) -> Option<&'a str> {
    let mounted = mounts.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let point = left.split(' ').nth(4)?;
        dir.starts_with(point).then_some((point.len(), right.split(' ').next()?))
    });
    mounted.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

fn space(stat: &StatVfs) -> Finding {
    const NAME: &str = "free space";
    let free = stat.f_bavail * stat.f_frsize;
    let detail = human(free);
    match free {
        0..SPACE_MIN => Finding::fail(NAME, detail, format!("the log needs {} at least", human(SPACE_MIN))),
        SPACE_MIN..SPACE_GOOD => Finding::warn(
            NAME,
            detail,
            "events that subscribers have not taken yet are kept here; when it is full, producers get 503",
        ),
        _ => Finding::ok(NAME, detail),
    }
}

fn sync(dir: &Path) -> Finding {
    const NAME: &str = "disk sync";
    let mut times = match measure(dir) {
        Ok(times) => times,
        Err(error) => {
            let hint = "the user that runs Eagre must be able to write there; or choose another with --data";
            return Finding::fail(NAME, format!("{}: {error}", dir.display()), hint);
        }
    };
    times.sort_unstable();
    let median = times[times.len() / 2];
    let detail =
        format!("median {median:.1?}, slowest {:.1?} ({SYNCS} × 4 KiB, write + fdatasync)", times[SYNCS - 1]);
    if median > SYNC_SLOW {
        let hint = "each producer waits this long, together with others; a local SSD takes well under 1 ms";
        return Finding::warn(NAME, detail, hint);
    }
    Finding::ok(NAME, detail)
}

/// How long each write took until the disk had it.
fn measure(dir: &Path) -> io::Result<Vec<Duration>> {
    let file = Nameless::create(dir)?;
    let block = [0xA5; WRITE_BYTES];
    (0..SYNCS)
        .map(|index| {
            let start = Instant::now();
            file.0.write_all_at(&block, (index * WRITE_BYTES) as u64)?;
            file.0.sync_data()?;
            Ok(start.elapsed())
        })
        .collect()
}

/// A file that is gone when it is closed, whatever ends this process.
struct Nameless(File);

impl Nameless {
    fn create(dir: &Path) -> io::Result<Nameless> {
        let nameless =
            rustix::fs::open(dir, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR);
        match nameless {
            Ok(file) => Ok(Nameless(file.into())),
            // Not every file system has nameless files: a name, then, for a moment.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR) => {
                let path = dir.join(format!(".eagre-check-{}", std::process::id()));
                let file = File::options().write(true).create_new(true).open(&path)?;
                fs::remove_file(&path)?;
                Ok(Nameless(file))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Bytes in the largest unit that leaves a whole part.
pub fn human(bytes: u64) -> String {
    match bytes {
        0..0x400 => format!("{bytes} B"),
        0x400..0x10_0000 => format!("{} KiB", bytes >> 10),
        0x10_0000..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
22 21 0:5 / /dev rw - devtmpfs devtmpfs rw
23 22 0:6 / /dev/shm rw - tmpfs tmpfs rw
24 21 0:7 / /data rw shared:1 - xfs /dev/vdb rw
";

    #[test]
    fn the_longest_mount_point_decides() {
        assert_eq!(kind(MOUNTS, Path::new("/dev/shm/x")), Some("tmpfs"));
        assert_eq!(kind(MOUNTS, Path::new("/data")), Some("xfs"));
        assert_eq!(kind(MOUNTS, Path::new("/database")), Some("ext4"));
    }

    #[test]
    fn measuring_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(measure(dir.path()).unwrap().len(), SYNCS);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_to_be_made_is_judged_by_its_parent() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(existing(&dir.path().join("a/b")).unwrap(), dir.path());
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(existing(&dir.path().join("file/b")).is_err());
    }

    #[test]
    fn sizes_are_readable() {
        assert_eq!(
            [human(7), human(4096), human(3 << 20), human(3 << 29)],
            ["7 B", "4 KiB", "3 MiB", "1.5 GiB"]
        );
    }
}
