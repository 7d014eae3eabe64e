//! A producer: sends events in every way there is, and notes what it is told.

use std::{io, rc::Rc};

use super::{
    content::{Content, request_head},
    http::{Message, read_response},
    ledger::Fate,
    scene::{Scene, ingress},
    seen::Seen,
};
use crate::{
    random::Random,
    world::{MILLISECOND, Nanos, SECOND, Wire},
};

/// Nobody waits longer for an answer of a process that serves.
const ANSWER_MAX: Nanos = 120 * SECOND;
/// A request whose producer has gone is read by then.
const UNHEARD_MAX: Nanos = 60 * SECOND;

pub(super) struct Producer {
    scene: Rc<Scene>,
    random: Random,
    /// The connection, and what was read ahead.
    wire: Option<(Wire, Vec<u8>)>,
}

/// A request and the events in it.
struct Request {
    broker: String,
    events: Vec<u64>,
    bytes: Vec<u8>,
    is_batch: bool,
}

impl Producer {
    pub(super) fn new(scene: &Rc<Scene>) -> Self {
        Self { scene: Rc::clone(scene), random: scene.random(), wire: None }
    }

    /// Sends all its requests.
    pub(super) async fn run(mut self) {
        for _ in 0..self.scene.plan.requests {
            let burst = self.random.below(3) == 0;
            let pause = if burst { 0 } else { self.random.below(self.scene.plan.pause_max + 1) };
            self.scene.machine.sleep(pause).await;
            let request = self.request();
            self.exchange(request).await;
        }
        self.scene.producers_left.set(self.scene.producers_left.get() - 1);
    }

    /// Sends one plain event to a broker; its answer's status.
    pub(super) async fn probe(&mut self, broker: &str) -> Option<u16> {
        let content = self.content(50);
        let request = self.single(broker.to_owned(), content, false, false);
        self.exchange(request).await
    }

    fn content(&mut self, size_max: u64) -> Content {
        let number = self.scene.ledger.borrow_mut().number();
        Content { number, kind: self.random.below(3) as u8, size: self.random.below(size_max) }
    }

    fn request(&mut self) -> Request {
        let rates = self.scene.plan.rates;
        // Now and then for one that is not there.
        let known = if self.random.below(50) == 0 { 5 } else { self.scene.plan.brokers };
        let broker = format!("b{}", self.random.below(known));
        if self.random.chance(rates.batch) {
            return self.batch(broker);
        }
        let size = if self.random.chance(rates.large) { 8000 } else { self.scene.plan.payload_max };
        let content = self.content(size);
        let structured = self.random.chance(rates.structured);
        let chunked = self.random.chance(rates.chunked);
        self.single(broker, content, structured, chunked)
    }

    fn single(&mut self, broker: String, content: Content, structured: bool, chunked: bool) -> Request {
        let (fields, body) = if structured {
            self.scene.saw(Seen::SentStructured);
            ("content-type: application/cloudevents+json\r\n".to_owned(), content.json())
        } else {
            (content.fields(), content.payload())
        };
        let bytes = self.render(&broker, &fields, &body, chunked);
        let number = content.number;
        self.scene.ledger.borrow_mut().send(content, &broker, self.scene.machine.now(), None);
        Request { broker, events: vec![number], bytes, is_batch: false }
    }

    fn batch(&mut self, broker: String) -> Request {
        let events = self.random.below(6);
        let contents: Vec<Content> =
            (0..events).map(|_| self.content(self.scene.plan.payload_max / 3)).collect();
        let body: Vec<String> = contents.iter().map(Content::json).collect();
        let body = format!("[{}]", body.join(","));
        let fields = "content-type: application/cloudevents-batch+json\r\n";
        let bytes = self.render(&broker, fields, &body, false);
        let now = self.scene.machine.now();
        let mut ledger = self.scene.ledger.borrow_mut();
        let events = contents.iter().map(|content| content.number).collect();
        contents.into_iter().for_each(|content| ledger.send(content, &broker, now, None));
        Request { broker, events, bytes, is_batch: true }
    }

    fn render(&mut self, broker: &str, fields: &str, body: &str, chunked: bool) -> Vec<u8> {
        let head = request_head(broker);
        if !chunked {
            return format!("{head}{fields}content-length: {}\r\n\r\n{body}", body.len()).into_bytes();
        }
        self.scene.saw(Seen::SentInChunks);
        let mut bytes = format!("{head}{fields}transfer-encoding: chunked\r\n\r\n").into_bytes();
        let piece = 1 + self.random.below(body.len() as u64) as usize;
        for chunk in body.as_bytes().chunks(piece) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    }

    /// Sends a request, reads its answer, notes it, and gives its status.
    async fn exchange(&mut self, request: Request) -> Option<u16> {
        let answer = self.try_exchange(&request).await;
        let now = self.scene.machine.now();
        let (fate, status) = match answer {
            Ok(Some(response)) => {
                if !response.keep_alive {
                    self.wire = None;
                }
                let accepted = response.status == 202;
                let fate = if accepted { Fate::Accepted } else { Fate::Refused(response.status) };
                (fate, Some(response.status))
            }
            Ok(None) | Err(_) => {
                self.wire = None;
                (Fate::Unknown, None)
            }
        };
        // What nobody has heard of may still be read.
        let judged = if fate == Fate::Unknown { now + UNHEARD_MAX } else { now };
        for event in &request.events {
            self.scene.ledger.borrow_mut().end(*event, fate, judged);
        }
        let Request { broker, events, is_batch, .. } = request;
        self.scene.machine.line(format_args!("{broker} answers {events:?}: {fate:?}"));
        self.note(fate, is_batch, events.len());
        status
    }

    fn note(&self, fate: Fate, is_batch: bool, events: usize) {
        let seen = match fate {
            Fate::Accepted if is_batch && events == 0 => Seen::EmptyBatch,
            Fate::Accepted if is_batch => Seen::AcceptedBatch,
            Fate::Accepted => Seen::Accepted,
            Fate::Refused(404) => Seen::RefusedUnknownBroker,
            Fate::Refused(413) => Seen::RefusedTooLarge,
            Fate::Refused(429) => Seen::RefusedOverQuota,
            Fate::Refused(503) => Seen::RefusedFull,
            Fate::Refused(408) | Fate::Unknown => return,
            Fate::Refused(status) => {
                return self.scene.violated(format!("a good request is answered {status}"));
            }
        };
        self.scene.saw(seen);
    }

    async fn try_exchange(&mut self, request: &Request) -> io::Result<Option<Message>> {
        let net = Rc::clone(&self.scene.machine.net);
        let (mut wire, mut input) = match self.wire.take() {
            Some(kept) => kept,
            None => {
                let connect = self.scene.within(5 * SECOND, net.connect(ingress(), false)).await;
                (connect.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))?, Vec::new())
            }
        };
        let calm = self.scene.calm.get();
        if !calm && self.random.chance(self.scene.plan.rates.slow) {
            self.scene.saw(Seen::SentSlowly);
            let piece = 1 + request.bytes.len() / (1 + self.random.below(6) as usize);
            for part in request.bytes.chunks(piece) {
                self.scene.machine.sleep(self.random.below(800 * MILLISECOND)).await;
                wire.send_all(part).await?;
            }
        } else {
            wire.send_all(&request.bytes).await?;
        }
        if !calm && self.random.chance(self.scene.plan.rates.vanishing) {
            self.scene.saw(Seen::Vanished);
            self.scene.machine.sleep(self.random.below(5 * MILLISECOND)).await;
            if self.random.coin() {
                wire.reset();
            }
            return Ok(None);
        }
        let (run, serving) = (self.scene.run(), self.scene.serving_since());
        let answer = self.scene.within(ANSWER_MAX, read_response(&mut wire, &mut input)).await;
        let Some(answer) = answer else {
            if serving.is_some() && run == self.scene.run() && self.scene.serving_since() == serving {
                let events = &request.events;
                self.scene.violated(format!(
                    "a request with {events:?} is not answered in {} s",
                    ANSWER_MAX / SECOND
                ));
            }
            return Ok(None);
        };
        let answer = answer?;
        if answer.is_some() {
            self.wire = Some((wire, input));
        }
        Ok(answer)
    }
}
