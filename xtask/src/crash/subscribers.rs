//! The subscribers and dead letter sinks of all triggers, on one port: slow, out of
//! order or replying as the plan says, until they are told to be healthy.

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result};

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{
    history::{Delivery, EventId, History},
    http::{Connection, Message},
    patience,
    plan::{Kind, Plan, Trigger},
};
use crate::random::Random;

/// A quarter of all events is refused for good by a trigger with a dead letter sink.
const REFUSED_ONE_IN: u64 = 4;
/// A request of the harness itself, see [`Subscribers::settle`].
const SETTLE: &str = "/settle";
/// Streams of random numbers of subscribers lie apart from those of producers.
const STREAMS: u64 = 1 << 32;

/// Subscribers that listen until they are dropped.
pub struct Subscribers {
    /// Where they listen.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    plan: Plan,
    history: Arc<History>,
    healthy: AtomicBool,
    closing: AtomicBool,
    /// Connections that were accepted and are not closed.
    open: AtomicUsize,
    next_stream: AtomicU64,
}

/// What a request is answered with.
enum Answer {
    Accept,
    Reply,
    Refuse(u16),
}

impl Subscribers {
    /// Starts them on a free port.
    ///
    /// # Errors
    /// There is no port or no thread.
    pub fn start(plan: &Plan, history: &Arc<History>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            plan: plan.clone(),
            history: Arc::clone(history),
            healthy: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            next_stream: AtomicU64::new(STREAMS),
        });
        let serving = Arc::clone(&shared);
        thread::Builder::new().name("subscribers".into()).spawn(move || serving.accept(&listener))?;
        Ok(Self { address, shared })
    }

    /// From now on everything is accepted at once.
    pub fn be_healthy(&self) {
        self.shared.healthy.store(true, SeqCst);
    }

    /// From now on they are again as the plan says.
    pub fn be_as_planned(&self) {
        self.shared.healthy.store(false, SeqCst);
    }

    /// Waits until everything that a dead server has sent is read and answered: its
    /// connections are at their ends, one after another, and so are those that it had
    /// made and nobody had accepted yet.
    ///
    /// # Errors
    /// A subscriber hangs.
    pub fn settle(&self) -> Result<()> {
        // Connections are accepted in the order in which they were made.
        let marker = TcpStream::connect(self.address).and_then(Connection::new);
        let mut marker = marker.context("connect to the subscribers")?;
        let request = format!("GET {SETTLE} HTTP/1.1\r\n\r\n");
        marker.stream.write_all(request.as_bytes()).context("ask the subscribers")?;
        marker.message().context("wait for the subscribers")?;
        patience::until("the connections of a dead server end", || Ok(self.shared.open.load(SeqCst) == 0))
    }
}

impl Drop for Subscribers {
    fn drop(&mut self) {
        self.shared.closing.store(true, SeqCst);
        // Wakes the listener; it may be gone already.
        let _ = TcpStream::connect(self.address);
    }
}

/// A connection that is counted until it is dropped.
struct Open(Arc<Shared>);

impl Open {
    fn count(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, SeqCst);
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.closing.load(SeqCst) {
                return;
            }
            let open = Open::count(self);
            // A connection that cannot be served is refused, and tried again.
            let _ = thread::Builder::new().spawn(move || {
                let serving = &open.0;
                let random = Random::new(serving.plan.seed, serving.next_stream.fetch_add(1, Relaxed));
                // It breaks when the server crashes.
                let _ = stream.and_then(Connection::new).and_then(|stream| serving.serve(stream, random));
            });
        }
    }

    fn serve(&self, mut connection: Connection, mut random: Random) -> io::Result<()> {
        while let Some(request) = connection.message()? {
            if request.second_word() == SETTLE {
                return Ok(());
            }
            let Some(delivery) = delivery(&request, self.plan.triggers.len()) else {
                let head = request.head.lines().next().unwrap_or_default();
                self.history.seen().oddities.push(format!("a subscriber was sent {head:?}"));
                return Ok(());
            };
            let response = match self.answer(&delivery, &mut random) {
                Answer::Refuse(status) => {
                    self.history.answered(delivery);
                    format!("HTTP/1.1 {status} Refused\r\ncontent-length: 0\r\n\r\n").into_bytes()
                }
                Answer::Accept => {
                    self.accepted(delivery);
                    b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()
                }
                Answer::Reply => {
                    let reply = self.reply(delivery.id);
                    self.accepted(delivery);
                    reply
                }
            };
            connection.stream.write_all(&response)?;
        }
        Ok(())
    }

    fn accepted(&self, delivery: Delivery) {
        self.history.answered(Delivery { accepted: true, ..delivery });
    }

    fn answer(&self, delivery: &Delivery, random: &mut Random) -> Answer {
        let Trigger { delay_ms_max, unavailable_one_in, replies, refuses, .. } =
            self.plan.triggers[delivery.trigger];
        if !self.healthy.load(SeqCst) && !delivery.sink {
            thread::sleep(Duration::from_millis(random.within(0..=delay_ms_max)));
            if unavailable_one_in > 0 && random.one_in(unavailable_one_in) {
                return Answer::Refuse(503);
            }
            if refuses && delivery.id.number.is_multiple_of(REFUSED_ONE_IN) {
                return Answer::Refuse(500);
            }
        }
        if replies && !delivery.sink { Answer::Reply } else { Answer::Accept }
    }

    /// The reply to an event, the same each time; it is written down as sent.
    fn reply(&self, to: EventId) -> Vec<u8> {
        let id = EventId { reply: true, ..to };
        let bytes = 100 + xxh3_64_with_seed(b"", to.number) % 2000;
        let payload = Random::new(self.plan.seed, STREAMS - 1 - to.number).bytes(bytes as usize);
        self.history.sends(id, Kind::Reply, &payload);
        let head = format!(
            "HTTP/1.1 200 OK\r\nce-specversion: 1.0\r\nce-id: {id}\r\nce-source: /subscriber\r\nce-type: {}\r\n\
             content-type: application/octet-stream\r\ncontent-length: {bytes}\r\n\r\n",
            Kind::Reply.name()
        );
        [head.as_bytes(), &payload].concat()
    }
}

/// A request as a delivery; none if it is not one of ours.
fn delivery(request: &Message, triggers: usize) -> Option<Delivery> {
    let mut path = request.second_word().split('/').skip(1);
    let sink = match path.next()? {
        "trigger" => false,
        "sink" => true,
        _ => return None,
    };
    let trigger = path.next()?.parse().ok().filter(|trigger| *trigger < triggers)?;
    let id = request.field("ce-id")?.parse().ok()?;
    let mut kinds = [Kind::Order, Kind::Payment, Kind::Reply].into_iter();
    let kind = kinds.find(|kind| request.field("ce-type") == Some(kind.name()));
    Some(Delivery { trigger, sink, id, kind, hash: xxh3_64(&request.body), accepted: false, run: 0 })
}
