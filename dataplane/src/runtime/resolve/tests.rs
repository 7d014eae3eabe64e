use std::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::Wake,
};

use super::*;

const FOREVER: Ttl = Ttl { positive: Duration::from_secs(3600), negative: Duration::from_secs(3600) };
const NEVER: Ttl = Ttl { positive: Duration::ZERO, negative: Duration::ZERO };

/// Runs a future on this thread.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

fn known(_: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(vec![SocketAddr::from(([10, 0, 0, 1], port))])
}

fn unknown(_: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
    Err(io::Error::other("no such name"))
}

#[test]
fn an_address_is_its_own_answer() {
    fn refuse(_: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        panic!("nothing is asked for an address")
    }
    let resolver = Resolver::start_with(refuse, FOREVER).unwrap();
    for (host, expected) in [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80")] {
        let answer = block_on(resolver.lookup(host, 80)).unwrap();
        assert_eq!(answer.to_vec(), [expected.parse().unwrap()]);
    }
}

#[test]
fn localhost_resolves() {
    let resolver = Resolver::start().unwrap();
    let answer = block_on(resolver.lookup("localhost", 8080)).unwrap();
    assert!(answer.iter().all(|address| address.ip().is_loopback() && address.port() == 8080));
}

#[test]
fn an_answer_is_asked_for_once_while_it_is_valid() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    fn count(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        ASKED.fetch_add(1, Ordering::SeqCst);
        known(host, port)
    }
    let resolver = Resolver::start_with(count, FOREVER).unwrap();
    for _ in 0..10 {
        block_on(resolver.lookup("a.test", 80)).unwrap();
    }
    assert_eq!(ASKED.load(Ordering::SeqCst), 1);
    let resolver = Resolver::start_with(count, NEVER).unwrap();
    for _ in 0..2 {
        block_on(resolver.lookup("a.test", 80)).unwrap();
    }
    assert_eq!(ASKED.load(Ordering::SeqCst), 3);
}

#[test]
fn a_failure_names_the_host_and_is_remembered() {
    let resolver = Resolver::start_with(unknown, FOREVER).unwrap();
    let error = block_on(resolver.lookup("missing.test", 80)).unwrap_err();
    assert_eq!(error.to_string(), "cannot resolve missing.test: no such name");
    assert!(matches!(resolver.0.shared.look("missing.test", 80), Looked::Known(Err(_))));
    fn empty(_: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![])
    }
    let resolver = Resolver::start_with(empty, FOREVER).unwrap();
    assert!(block_on(resolver.lookup("empty.test", 80)).is_err());
}

/// No thread works, so that what waits stays.
fn without_threads() -> Resolver {
    let shared = Arc::new(Shared { state: Mutex::default(), work: Condvar::new(), ttl: FOREVER });
    Resolver(Arc::new(Owner { shared }))
}

#[test]
fn names_beyond_the_queue_are_refused_and_those_in_it_still_answered() {
    let resolver = without_threads();
    let shared = &resolver.0.shared;
    for i in 0..limits::QUEUE_MAX {
        assert!(matches!(shared.look(&format!("{i}.test"), 80), Looked::Waits(_)));
    }
    assert!(matches!(shared.look("one-more.test", 80), Looked::Known(Err(ResolveError::Busy))));
    let Looked::Waits(waiter) = shared.look("0.test", 80) else { panic!("it is in the queue") };
    let name = shared.next().unwrap();
    shared.settle(name.clone(), &known(&name.0, name.1).map(Addresses::from).map_err(|_| ResolveError::Busy));
    assert!(block_on(poll_fn(|context| waiter.poll(context))).is_ok());
}

#[test]
fn the_number_of_names_kept_is_bounded() {
    let resolver = without_threads();
    let shared = &resolver.0.shared;
    for i in 0..limits::ENTRIES_MAX + 10 {
        assert!(matches!(shared.look(&format!("{i}.test"), 80), Looked::Waits(_)));
        let name = shared.next().unwrap();
        shared.settle(name, &Err(ResolveError::Busy));
        assert!(shared.lock().names.len() <= limits::ENTRIES_MAX);
    }
}

#[test]
fn callers_who_gave_up_leave_the_line() {
    let resolver = without_threads();
    for _ in 0..10_000 {
        drop(resolver.0.shared.look("slow.test", 80));
    }
    let state = resolver.0.shared.lock();
    let Some(Entry::Pending(waiters)) = state.names.values().next() else { panic!("it is pending") };
    assert!(waiters.capacity() <= 16, "{}", waiters.capacity());
}

#[test]
fn a_task_of_a_shard_is_woken_from_the_resolver() {
    let mut runtime = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new().enable_all().build().unwrap();
    let resolver = Resolver::start_with(known, NEVER).unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..100)
            .map(|port| {
                let resolver = resolver.clone();
                monoio::spawn(async move { resolver.lookup("a.test", port).await })
            })
            .collect();
        for (port, task) in tasks.into_iter().enumerate() {
            assert_eq!(usize::from(task.await.unwrap()[0].port()), port);
        }
    });
}
