//! Which way shards wait for the kernel: io_uring or epoll.
//!
//! io_uring is taken only where everything the shards and the log need of it is
//! there and allowed; what is missing is found out once, before any shard starts,
//! and named together with its remedy. Deliberately absent: io_uring without
//! `SINGLE_ISSUER` and `DEFER_TASKRUN` (kernels before 6.1), where epoll is as fast.

use std::{fmt, fs, io};

use clap::ValueEnum;
use io_uring::{IoUring, Probe, opcode};
use rustix::io::Errno;

/// What the operator asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Requested {
    /// io_uring where it is allowed, epoll elsewhere.
    #[default]
    Auto,
    /// io_uring or nothing.
    Uring,
    /// epoll, even where io_uring is allowed.
    Epoll,
}

/// What the shards run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// One io_uring per shard, created with `SINGLE_ISSUER | DEFER_TASKRUN`.
    Uring,
    /// One epoll instance per shard.
    Epoll,
}

impl fmt::Display for Driver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Driver::Uring => "io_uring",
            Driver::Epoll => "epoll",
        })
    }
}

/// The outcome of [`choose`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What to run on.
    pub driver: Driver,
    /// Why, in one sentence for the log and `/v1/info`.
    pub reason: String,
}

/// io_uring was demanded and cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("driver uring: {cause}; or ask for driver auto, which takes epoll here")]
pub struct DriverError {
    /// What is in the way.
    #[from]
    pub cause: Unavailable,
}

/// Entries of a shard's submission queue; the completion queue has twice as many.
pub const RING_ENTRIES: u32 = 1024;

/// Decides what to run on.
///
/// # Errors
/// Only where [`Requested::Uring`] cannot be met.
pub fn choose(requested: Requested) -> Result<Choice, DriverError> {
    if requested == Requested::Epoll {
        return Ok(Choice { driver: Driver::Epoll, reason: "asked for".into() });
    }
    match (probe(), requested) {
        (Ok(()), Requested::Uring) => Ok(Choice { driver: Driver::Uring, reason: "asked for".into() }),
        (Ok(()), _) => Ok(Choice { driver: Driver::Uring, reason: "available with all it needs".into() }),
        (Err(cause), Requested::Uring) => Err(cause.into()),
        (Err(cause), _) => Ok(Choice { driver: Driver::Epoll, reason: cause.to_string() }),
    }
}

/// Why io_uring cannot be used here, and what would change that.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// `ENOSYS`: the kernel is built without it, or a sandbox such as gVisor has none.
    #[error(
        "io_uring is not part of this kernel ({call}: ENOSYS); run on Linux 6.1 or later with CONFIG_IO_URING"
    )]
    NotBuilt {
        /// The system call that was refused.
        call: &'static str,
    },
    /// The sysctl `kernel.io_uring_disabled` forbids it.
    #[error(
        "the sysctl kernel.io_uring_disabled = {level} forbids io_uring; set it to 0 on the node{}",
        if *.level == 1 { ", or add the process's group as kernel.io_uring_group" } else { "" }
    )]
    Sysctl {
        /// 1: only for privileged processes and one group; 2: for nobody.
        level: u8,
    },
    /// A seccomp filter forbids it, as the default profiles of container runtimes do.
    #[error(
        "a seccomp filter forbids io_uring ({call}: {error}), as the default profiles of Docker and containerd do; \
         allow io_uring_setup, io_uring_enter and io_uring_register in the pod's seccompProfile"
    )]
    Seccomp {
        /// The system call that was refused.
        call: &'static str,
        /// What it returned.
        error: io::Error,
    },
    /// Refused, but neither the sysctl nor seccomp did it: a security module.
    #[error(
        "{call} is not permitted ({error}) though neither seccomp nor kernel.io_uring_disabled forbids it; look for a rule of SELinux or AppArmor in the node's audit log"
    )]
    NotPermitted {
        /// The system call that was refused.
        call: &'static str,
        /// What it returned.
        error: io::Error,
    },
    /// `ENOMEM`: no room for the ring.
    #[error(
        "no memory for a ring of {RING_ENTRIES} entries (ENOMEM); raise the memory limit of the pod, or RLIMIT_MEMLOCK (ulimit -l)"
    )]
    Memory,
    /// `EMFILE` or `ENFILE`: no descriptor for the ring.
    #[error("no file descriptor for a ring ({error}); raise RLIMIT_NOFILE (ulimit -n)")]
    Descriptors {
        /// What `io_uring_setup` returned.
        error: io::Error,
    },
    /// `EINVAL`: the kernel does not know the flags.
    #[error(
        "io_uring of this kernel ({release}) lacks SINGLE_ISSUER or DEFER_TASKRUN; run on Linux 6.1 or later"
    )]
    TooOld {
        /// `uname -r`.
        release: String,
    },
    /// The kernel lacks operations that are used.
    #[error("io_uring of this kernel lacks the operations {}", .missing.join(", "))]
    Operations {
        /// Their names.
        missing: Vec<&'static str>,
    },
    /// Anything else.
    #[error("{call} failed: {error}")]
    Other {
        /// The system call that failed.
        call: &'static str,
        /// Why.
        error: io::Error,
    },
}

/// Creates a ring as a shard does, asks it what it can, and enters it once.
fn probe() -> Result<(), Unavailable> {
    let refused = |call| move |error| explain(call, error, Surroundings::observe);
    let ring: IoUring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .build(RING_ENTRIES)
        .map_err(refused("io_uring_setup"))?;

    let mut known = Probe::new();
    ring.submitter().register_probe(&mut known).map_err(refused("io_uring_register"))?;
    let missing: Vec<_> =
        OPERATIONS.iter().filter(|(code, _)| !known.is_supported(*code)).map(|&(_, name)| name).collect();
    if !missing.is_empty() {
        return Err(Unavailable::Operations { missing });
    }

    // Nothing is queued: this only shows that entering is allowed too.
    ring.submit().map_err(refused("io_uring_enter"))?;
    Ok(())
}

/// What the shards (through monoio 0.2.4, whose own detection asks for most of these
/// too) and the log submit.
const OPERATIONS: &[(u8, &str)] = &[
    (opcode::Accept::CODE, "ACCEPT"),
    (opcode::AsyncCancel::CODE, "ASYNC_CANCEL"),
    (opcode::Close::CODE, "CLOSE"),
    (opcode::Connect::CODE, "CONNECT"),
    (opcode::Fsync::CODE, "FSYNC"),
    (opcode::OpenAt::CODE, "OPENAT"),
    (opcode::PollAdd::CODE, "POLL_ADD"),
    (opcode::ProvideBuffers::CODE, "PROVIDE_BUFFERS"),
    (opcode::Read::CODE, "READ"),
    (opcode::Readv::CODE, "READV"),
    (opcode::Recv::CODE, "RECV"),
    (opcode::RecvMsg::CODE, "RECVMSG"),
    (opcode::Send::CODE, "SEND"),
    (opcode::SendMsg::CODE, "SENDMSG"),
    (opcode::Timeout::CODE, "TIMEOUT"),
    (opcode::Write::CODE, "WRITE"),
    (opcode::Writev::CODE, "WRITEV"),
];

/// What else is known about the process and the node when a call is refused.
#[derive(Clone, Debug, Default)]
struct Surroundings {
    /// `Seccomp:` of `/proc/self/status` is 2.
    seccomp_filter: bool,
    /// `kernel.io_uring_disabled`, 0 where there is no such sysctl (before 6.6).
    sysctl: u8,
    release: String,
}

impl Surroundings {
    fn observe() -> Surroundings {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Surroundings {
            seccomp_filter: seccomp_filters(&read("/proc/self/status")),
            sysctl: read("/proc/sys/kernel/io_uring_disabled").trim().parse().unwrap_or(0),
            release: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

/// Whether `status`, the text of `/proc/self/status`, tells of a seccomp filter.
fn seccomp_filters(status: &str) -> bool {
    status.lines().any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() == "2"))
}

/// From what was refused and what surrounds it to the cause. The sysctl comes before
/// seccomp: where both forbid it, lifting the filter alone would not help.
fn explain(call: &'static str, error: io::Error, surroundings: impl FnOnce() -> Surroundings) -> Unavailable {
    let around = surroundings();
    match Errno::from_io_error(&error) {
        Some(Errno::PERM | Errno::ACCESS) if around.sysctl > 0 => {
            Unavailable::Sysctl { level: around.sysctl }
        }
        // Profiles answer either "not permitted" or "no such call".
        Some(Errno::PERM | Errno::ACCESS | Errno::NOSYS) if around.seccomp_filter => {
            Unavailable::Seccomp { call, error }
        }
        Some(Errno::NOSYS) => Unavailable::NotBuilt { call },
        Some(Errno::PERM | Errno::ACCESS) => Unavailable::NotPermitted { call, error },
        Some(Errno::NOMEM) => Unavailable::Memory,
        Some(Errno::MFILE | Errno::NFILE) => Unavailable::Descriptors { error },
        Some(Errno::INVAL) => Unavailable::TooOld { release: around.release },
        _ => Unavailable::Other { call, error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(errno: Errno, seccomp_filter: bool, sysctl: u8) -> Unavailable {
        let around = Surroundings { seccomp_filter, sysctl, release: "5.15.0".into() };
        explain("io_uring_setup", errno.into(), || around)
    }

    #[test]
    fn each_refusal_names_its_cause() {
        use Unavailable as U;
        assert!(matches!(cause(Errno::NOSYS, false, 0), U::NotBuilt { .. }));
        assert!(matches!(cause(Errno::NOSYS, true, 0), U::Seccomp { .. }));
        assert!(matches!(cause(Errno::PERM, true, 0), U::Seccomp { .. }));
        assert!(matches!(cause(Errno::PERM, true, 2), U::Sysctl { level: 2 }));
        assert!(matches!(cause(Errno::PERM, false, 1), U::Sysctl { level: 1 }));
        assert!(matches!(cause(Errno::ACCESS, false, 0), U::NotPermitted { .. }));
        assert!(matches!(cause(Errno::NOMEM, false, 0), U::Memory));
        assert!(matches!(cause(Errno::MFILE, false, 0), U::Descriptors { .. }));
        assert!(matches!(cause(Errno::INVAL, false, 0), U::TooOld { .. }));
        assert!(matches!(cause(Errno::IO, false, 0), U::Other { .. }));
    }

    #[test]
    fn each_cause_comes_with_a_remedy() {
        let text = |errno, seccomp, sysctl| cause(errno, seccomp, sysctl).to_string();
        assert!(text(Errno::PERM, true, 0).contains("seccompProfile"));
        assert!(text(Errno::PERM, false, 1).contains("kernel.io_uring_group"));
        assert!(!text(Errno::PERM, false, 2).contains("kernel.io_uring_group"));
        assert!(text(Errno::INVAL, false, 0).contains("5.15.0"));
    }

    #[test]
    fn the_seccomp_mode_is_read_from_the_status_file() {
        assert!(seccomp_filters("Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n"));
        assert!(!seccomp_filters("Seccomp:\t0\nSeccomp_filters:\t0\n"));
        assert!(!seccomp_filters(""));
    }

    #[test]
    fn epoll_is_had_for_the_asking_and_auto_always_finds_something() {
        assert_eq!(choose(Requested::Epoll).unwrap().driver, Driver::Epoll);
        let auto = choose(Requested::Auto).unwrap();
        match choose(Requested::Uring) {
            Ok(choice) => assert_eq!((choice.driver, auto.driver), (Driver::Uring, Driver::Uring)),
            Err(error) => {
                assert_eq!(auto.driver, Driver::Epoll);
                assert_eq!(auto.reason, error.cause.to_string());
            }
        }
    }
}
