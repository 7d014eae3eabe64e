//! The kernel, and whether it lets Eagre use io_uring.

use std::{fs, io};

use io_uring::IoUring;

use super::finding::Finding;

/// The first release whose io_uring has all that the shards use.
const KERNEL_MIN: (u32, u32) = (6, 1);

/// Entries of the ring that is tried; small, since only the permission is of interest.
const RING_ENTRIES: u32 = 8;

pub fn findings() -> Vec<Finding> {
    vec![release(), io_uring()]
}

fn release() -> Finding {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let detail =
        format!("{} {release} ({})", uname.sysname().to_string_lossy(), uname.machine().to_string_lossy());
    match version(&release) {
        Some(version) if version < KERNEL_MIN => Finding::warn(
            "kernel",
            detail,
            "Eagre runs on epoll here; Linux 6.1 or later has the io_uring features it uses",
        ),
        _ => Finding::ok("kernel", detail),
    }
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// Makes a ring with the flags a shard's has. (Whether the kernel has every operation too,
/// the data plane finds out when it starts.)
fn io_uring() -> Finding {
    let ring: io::Result<IoUring> =
        IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(RING_ENTRIES);
    let (disabled, seccomp) = (disabled(), seccomp());
    let around = format!("kernel.io_uring_disabled: {disabled}, seccomp: {seccomp}");
    match ring {
        Ok(_) => Finding::ok("io_uring", format!("allowed ({around})")),
        Err(error) => Finding::warn(
            "io_uring",
            format!("io_uring_setup: {error} ({around})"),
            format!(
                "{}; until then Eagre runs on epoll, with somewhat more CPU per event",
                remedy(&disabled, seccomp)
            ),
        ),
    }
}

/// What stands in the way, as far as it can be seen; the sysctl first, since lifting a filter
/// alone would not help where it forbids io_uring.
fn remedy(disabled: &str, seccomp: &str) -> &'static str {
    match (disabled, seccomp) {
        ("1" | "2", _) => "set the sysctl kernel.io_uring_disabled to 0",
        (_, "a filter") => {
            "allow io_uring_setup, io_uring_enter and io_uring_register in the seccomp profile"
        }
        _ => "run on Linux 6.1 or later; look for a rule of SELinux or AppArmor, and at ulimit -l and -n",
    }
}

fn disabled() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    text.map_or_else(|_| "no such sysctl".to_owned(), |text| text.trim().to_owned())
}

fn seccomp() -> &'static str {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    match status.lines().find_map(|line| line.strip_prefix("Seccomp:")).map(str::trim) {
        Some("0") => "none",
        Some("1") => "strict",
        Some("2") => "a filter",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_forbids_io_uring_is_named() {
        assert!(remedy("2", "a filter").contains("sysctl"));
        assert!(remedy("0", "a filter").contains("seccomp"));
        assert!(remedy("no such sysctl", "none").contains("Linux 6.1"));
    }

    #[test]
    fn releases_are_compared_as_numbers() {
        assert_eq!(version("6.18.3-arch1"), Some((6, 18)));
        assert_eq!(version("5.10"), Some((5, 10)));
        assert_eq!(version("unknown"), None);
        assert!(version("6.10").unwrap() > version("6.9").unwrap());
    }
}
