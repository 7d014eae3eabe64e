//! The load: connections that post one request after another, and note which of them
//! were acknowledged.

use std::{
    fmt::Write as _,
    io::{self, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread::{self, Scope},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{
    history::{EventId, History},
    http::Connection,
    plan::{Kind, Plan},
};
use crate::random::Random;

/// After a 503; long enough not to spin, short enough to notice when there is room.
const PAUSE: Duration = Duration::from_millis(5);

/// The producers of one trial.
pub struct Producers<'t> {
    plan: &'t Plan,
    history: Arc<History>,
    next_number: AtomicU64,
    /// Counts producers over all rounds, for the streams of random numbers.
    next_stream: AtomicU64,
    stop: AtomicBool,
}

impl<'t> Producers<'t> {
    /// Producers that do not run yet.
    pub fn new(plan: &'t Plan, history: &Arc<History>) -> Self {
        Self {
            plan,
            history: Arc::clone(history),
            next_number: AtomicU64::new(0),
            next_stream: AtomicU64::new(1),
            stop: AtomicBool::new(false),
        }
    }

    /// Starts them on `address`; they end by themselves some time after
    /// [`stop`](Self::stop), when the server answers or is gone.
    pub fn start<'s>(&'s self, scope: &'s Scope<'s, '_>, address: SocketAddr) {
        self.stop.store(false, SeqCst);
        for _ in 0..self.plan.producers {
            let random = Random::new(self.plan.seed, self.next_stream.fetch_add(1, Relaxed));
            scope.spawn(move || self.run(random, address));
        }
    }

    /// No further request is begun.
    pub fn stop(&self) {
        self.stop.store(true, SeqCst);
    }

    fn run(&self, mut random: Random, address: SocketAddr) {
        while !self.stop.load(SeqCst) {
            // Refused or broken: the server is gone, or closed after an answer.
            let connected = TcpStream::connect(address).and_then(Connection::new);
            if connected.and_then(|connection| self.post_all(&mut random, connection)).is_err() {
                thread::sleep(PAUSE);
            }
        }
    }

    fn post_all(&self, random: &mut Random, mut connection: Connection) -> io::Result<()> {
        while !self.stop.load(SeqCst) {
            let (ids, request) = self.request(random);
            connection.stream.write_all(&request)?;
            let Some(response) = connection.message()? else { return Ok(()) };
            match response.second_word() {
                "202" => self.history.acknowledged(&ids),
                "503" | "429" => {
                    self.history.seen().unavailable += 1;
                    thread::sleep(PAUSE);
                }
                _ => {
                    let head = response.head.lines().next().unwrap_or_default();
                    let what = format!("a producer was answered {head:?} to {}", ids[0]);
                    self.history.seen().oddities.push(what);
                    return Ok(());
                }
            }
            if response.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// A request with one event or a batch, which is written down as sent.
    fn request(&self, random: &mut Random) -> (Vec<EventId>, Vec<u8>) {
        let is_batch = self.plan.batch_one_in > 0 && random.one_in(self.plan.batch_one_in);
        if !is_batch {
            let (id, kind, payload) = self.event(random, self.plan.payload_bytes_max);
            let mut request = format!(
                "POST /default/default HTTP/1.1\r\nhost: b\r\nce-specversion: 1.0\r\nce-id: {id}\r\n\
                 ce-source: /producer\r\nce-type: {}\r\ncontent-type: application/octet-stream\r\n\
                 content-length: {}\r\n\r\n",
                kind.name(),
                payload.len()
            )
            .into_bytes();
            request.extend_from_slice(&payload);
            return (vec![id], request);
        }
        let (mut ids, mut items) = (Vec::new(), String::new());
        for _ in 0..random.within(2..=5) {
            let (id, kind, payload) = self.event(random, self.plan.payload_bytes_max.min(16 * 1024));
            let _ = write!(
                items,
                "{}{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"/producer\",\"type\":\"{}\",\
                 \"datacontenttype\":\"application/octet-stream\",\"data_base64\":\"{}\"}}",
                if items.is_empty() { "" } else { "," },
                kind.name(),
                BASE64_STANDARD.encode(payload)
            );
            ids.push(id);
        }
        let request = format!(
            "POST /default/default HTTP/1.1\r\nhost: b\r\ncontent-type: application/cloudevents-batch+json\r\n\
             content-length: {}\r\n\r\n[{items}]",
            items.len() + 2
        );
        (ids, request.into_bytes())
    }

    fn event(&self, random: &mut Random, bytes_max: u64) -> (EventId, Kind, Vec<u8>) {
        let id = EventId { number: self.next_number.fetch_add(1, Relaxed), reply: false };
        let kind = random.pick(&[Kind::Order, Kind::Payment]);
        let bytes = random.within(100..=bytes_max) as usize;
        let payload = random.bytes(bytes);
        self.history.sends(id, kind, &payload);
        (id, kind, payload)
    }
}
