//! A shard's thread and its runtime.

use std::{future::Future, io, thread};

use io_uring_of_monoio::IoUring;
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};

use super::driver::{Driver, RING_ENTRIES};

/// Runs `shard` to its end on a thread of its own, bound to `cpu` if one is
/// given.
pub(crate) fn spawn<F, S>(
    index: usize,
    driver: Driver,
    cpu: Option<usize>,
    shard: F,
) -> io::Result<thread::JoinHandle<()>>
where
    F: FnOnce() -> S + Send + 'static,
    S: Future<Output = ()>,
{
    thread::Builder::new().name(format!("eagre-shard-{index}")).spawn(move || {
        if let Some(cpu) = cpu {
            pin(cpu);
        }
        if let Err(error) = run(driver, shard) {
            tracing::error!(shard = index, "the shard's runtime cannot start: {error}");
            super::exit::now(super::exit::OS_ERROR);
        }
    })
}

fn run<S: Future<Output = ()>>(driver: Driver, shard: impl FnOnce() -> S) -> io::Result<()> {
    match driver {
        Driver::Uring => {
            let mut ring = IoUring::builder();
            // The ring is built, fed and reaped by this thread alone, and its
            // completions are taken when the loop turns and not by interrupt.
            ring.setup_single_issuer().setup_defer_taskrun();
            let builder = RuntimeBuilder::<IoUringDriver>::new().with_entries(RING_ENTRIES);
            builder.uring_builder(ring).enable_timer().build()?.block_on(shard());
        }
        Driver::Epoll => {
            let builder = RuntimeBuilder::<LegacyDriver>::new().with_entries(RING_ENTRIES);
            builder.enable_timer().build()?.block_on(shard());
        }
    }
    Ok(())
}

/// The CPU of each shard: those that are configured, or one each of those the
/// process may use. With fewer CPUs than shards the scheduler decides.
pub(crate) fn cpus(configured: &[usize], shards: usize) -> Vec<usize> {
    if !configured.is_empty() {
        return configured.to_vec();
    }
    let allowed: Vec<usize> = match rustix::thread::sched_getaffinity(None) {
        Ok(set) => (0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect(),
        Err(_) => Vec::new(),
    };
    if allowed.len() < shards { Vec::new() } else { allowed }
}

/// Failure costs speed, not correctness: the cpu may be outside a container's
/// set.
fn pin(cpu: usize) {
    let mut cpus = rustix::thread::CpuSet::new();
    cpus.set(cpu);
    if let Err(error) = rustix::thread::sched_setaffinity(None, &cpus) {
        tracing::warn!(cpu, "cannot bind the shard to its cpu: {error}");
    }
}
