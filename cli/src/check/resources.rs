//! What the system grants this process: descriptors, memory, processors, ports.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
};

use rustix::process::{Resource, getrlimit};

use super::{disk::human, finding::Finding};
use crate::up;

/// Descriptors below which connections run out before anything else does: each
/// producer and each delivery in flight takes one.
const OPEN_FILES_MIN: u64 = 4096;

/// Memory that rings take where the kernel still counts it as locked (before 5.12).
const MEMLOCK_MIN: u64 = 8 << 20;

/// Memory below which events and buffers have little room.
const MEMORY_MIN: u64 = 128 << 20;

pub fn findings() -> Vec<Finding> {
    vec![open_files(), memlock(), processors(), memory(), shared_memory()]
}

fn open_files() -> Finding {
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < OPEN_FILES_MIN => Finding::warn(
            "open files",
            format!("{limit}"),
            format!(
                "each connection takes one; ulimit -n {} or LimitNOFILE= in the unit",
                OPEN_FILES_MIN * 16
            ),
        ),
        limit => Finding::ok("open files", limit.map_or("unlimited".into(), |limit| limit.to_string())),
    }
}

fn memlock() -> Finding {
    match getrlimit(Resource::Memlock).current {
        Some(limit) if limit < MEMLOCK_MIN => Finding::ok(
            "locked memory",
            format!("{}; enough, as kernels since 5.12 do not count rings as locked", human(limit)),
        ),
        limit => Finding::ok("locked memory", limit.map_or("unlimited".into(), human)),
    }
}

fn processors() -> Finding {
    let usable = thread::available_parallelism().map_or(1, usize::from);
    let quota = match cgroup_file("cpu", "cpu.max").as_deref().and_then(quota) {
        Some(quota) => format!(", cgroup quota {quota:.2}"),
        None => String::new(),
    };
    Finding::ok("processors", format!("{usable} usable, one shard each{quota}"))
}

/// Processors in the `cpu.max` of cgroup 2: `quota period` in microseconds, or `max …`.
fn quota(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
}

fn memory() -> Finding {
    let limit =
        cgroup_file("memory", "memory.max").or_else(|| cgroup_file("memory", "memory.limit_in_bytes"));
    let limit = limit.and_then(|text| text.trim().parse::<u64>().ok());
    let total = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    match (limit.filter(|&limit| total.is_none_or(|total| limit < total)), total) {
        (Some(limit), _) if limit < MEMORY_MIN => Finding::warn(
            "memory",
            format!("cgroup limit {}", human(limit)),
            format!("give it {} or more, or lower the limits in eagre.toml", human(MEMORY_MIN)),
        ),
        (Some(limit), _) => Finding::ok("memory", format!("cgroup limit {}", human(limit))),
        (None, Some(total)) => Finding::ok("memory", format!("{}, no cgroup limit", human(total))),
        (None, None) => Finding::ok("memory", "unknown"),
    }
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
}

/// A file of this process's cgroup, in either version's layout; containers see theirs at
/// the root.
fn cgroup_file(controller: &str, file: &str) -> Option<String> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let root = match controllers {
            "" => PathBuf::from("/sys/fs/cgroup"),
            list if list.split(',').any(|name| name == controller) => Path::new("/sys/fs/cgroup").join(list),
            _ => return None,
        };
        [root.join(path.trim_start_matches('/')), root]
            .iter()
            .find_map(|group| fs::read_to_string(group.join(file)).ok())
    })
}

fn shared_memory() -> Finding {
    let dir = Path::new("/dev/shm");
    match rustix::fs::access(dir, rustix::fs::Access::WRITE_OK) {
        Ok(()) => Finding::ok("/dev/shm", "writable; the planes meet there"),
        Err(error) => Finding::warn(
            "/dev/shm",
            format!("not writable: {error}"),
            "the planes meet in the data directory instead; in a pod, mount an emptyDir with medium: Memory",
        ),
    }
}

/// Whether `address` can be listened on.
pub fn port(name: &'static str, address: SocketAddr, option: &'static str) -> Finding {
    match up::ports::free(address, option) {
        Ok(_) => Finding::ok(name, format!("{address} is free")),
        Err(error @ up::ports::Unavailable::InUse { .. }) => Finding::fail(
            name,
            error.to_string(),
            "if Eagre itself runs there, all is well; otherwise choose another port",
        ),
        Err(error) => Finding::fail(name, error.to_string(), format!("choose another address with {option}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_a_number_of_processors() {
        assert_eq!(quota("150000 100000\n"), Some(1.5));
        assert_eq!(quota("max 100000\n"), None);
    }

    #[test]
    fn memory_is_counted_in_bytes() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       2048 kB\n"), Some(2 << 20));
        assert_eq!(total(""), None);
    }
}
