//! One producer's connection: read a request, answer it, and so on.
//!
//! Owns the connection's buffers and its deadlines. Requests that were sent
//! ahead (pipelined) are answered one after another.

use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    rc::Rc,
    task::Poll,
    time::{Duration, Instant},
};

use eagre_http1::{Chunked, Framing, encode};

use super::{
    Ingress,
    bodies::Held,
    reason::Reason,
    request::{Outcome, Step, step},
};
use crate::runtime::{net::Stream, notify::Notify, time};

/// Serves a connection until it ends.
pub(super) async fn serve(ingress: Rc<Ingress>, stream: Stream) {
    let mut connection = Connection {
        held: ingress.bodies.begin(),
        ingress,
        stream,
        input: Vec::with_capacity(INPUT_BYTES),
        body: Vec::new(),
        output: Vec::with_capacity(OUTPUT_BYTES),
        close: Rc::default(),
    };
    // An error means that the producer is gone or too slow: there is nobody to
    // tell.
    while connection.exchange().await.unwrap_or(false) {}
}

struct Connection {
    ingress: Rc<Ingress>,
    stream: Stream,
    /// What has arrived, from the first byte of the present request on.
    input: Vec<u8>,
    /// The present request's body, if it came in chunks.
    body: Vec<u8>,
    output: Vec<u8>,
    /// What it holds of the memory for requests.
    held: Held,
    /// Its place is wanted by another.
    close: Rc<Notify>,
}

impl Connection {
    /// One request and its answer; true if another may follow.
    async fn exchange(&mut self) -> io::Result<bool> {
        if self.input.is_empty() && !self.rest().await? {
            return Ok(false);
        }
        let _busy = self.ingress.begin_request();
        let begun = time::now();
        let (outcome, consumed, close) = match self.request(begun).await {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                (Outcome::Refused(Reason::Deadline), 0, true)
            }
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                (Outcome::Refused(Reason::BodiesFull), 0, true)
            }
            decided => decided?,
        };
        let status = self.answer(outcome, close, begun).await?;
        self.ingress.metrics.answered(status, time::now() - begun);
        if !close {
            self.input.drain(..consumed);
        }
        Ok(!close)
    }

    /// Waits for the next request, with nothing large held. False at the end of
    /// the stream, and where the place is wanted by another.
    async fn rest(&mut self) -> io::Result<bool> {
        if self.input.capacity() > KEPT_BYTES {
            self.input = Vec::with_capacity(INPUT_BYTES);
        }
        self.body = Vec::new();
        self.held = self.ingress.bodies.begin();
        let idle_until = time::now() + self.ingress.settings.idle_keep_alive;
        let _rest = self.ingress.idle.rest(&self.close);
        let mut wanted = pin!(self.close.notified());
        let mut read = pin!(time::before(idle_until, self.stream.read_more(&mut self.input, INPUT_BYTES)));
        let bytes = poll_fn(|context| match read.as_mut().poll(context) {
            Poll::Pending => wanted.as_mut().poll(context).map(|()| Ok(0)),
            read => read,
        });
        Ok(bytes.await? > 0)
    }

    /// Reads until the request is decided.
    async fn request(&mut self, begun: Instant) -> io::Result<(Outcome, usize, bool)> {
        let head_deadline = begun + self.ingress.settings.header_deadline;
        let mut is_decoded = false;
        loop {
            match step(&self.ingress, &self.input, is_decoded.then_some(&self.body), false) {
                Step::Decided { outcome, consumed, close } => return Ok((outcome, consumed, close)),
                Step::NeedHead => self.more(INPUT_BYTES, head_deadline).await?,
                Step::Large => return Ok(self.decide_large(is_decoded.then_some(&self.body)).await),
                Step::NeedBody { head_bytes, framing, expect_continue } => {
                    if expect_continue && self.input.len() == head_bytes {
                        self.write_continue().await?;
                    }
                    if let Framing::Length(length) = framing {
                        self.read_length(head_bytes, length as usize).await?;
                        continue;
                    }
                    if let Some(refused) = self.read_chunked(head_bytes).await? {
                        return Ok((Outcome::Refused(refused), self.input.len(), true));
                    }
                    is_decoded = true;
                }
            }
        }
    }

    /// Decides a request that has arrived, in a turn of its own.
    async fn decide_large(&self, chunked: Option<&[u8]>) -> (Outcome, usize, bool) {
        let _passage = self.ingress.turnstile.pass().await;
        match step(&self.ingress, &self.input, chunked, true) {
            Step::Decided { outcome, consumed, close } => (outcome, consumed, close),
            // The head parsed and the body is here, so nothing can be missing.
            Step::NeedHead | Step::NeedBody { .. } | Step::Large => unreachable!("the request is complete"),
        }
    }

    async fn read_length(&mut self, head_bytes: usize, length: usize) -> io::Result<()> {
        let wanted = head_bytes + length;
        let deadline = time::now() + self.ingress.settings.body_deadline_for(length as u64);
        while self.input.len() < wanted {
            let missing = wanted - self.input.len();
            grow(&mut self.input, missing.min(GROWTH_BYTES_MAX), wanted);
            self.more(0, deadline).await?;
        }
        Ok(())
    }

    /// Decodes the body into `self.body` and takes it out of the input.
    async fn read_chunked(&mut self, head_bytes: usize) -> io::Result<Option<Reason>> {
        let limit = self.ingress.settings.body_bytes_max;
        let deadline = time::now() + self.ingress.settings.body_deadline_for(limit as u64);
        let mut decoder = Chunked::new(&self.ingress.request_limits);
        self.body.clear();
        loop {
            let decoded_max = (self.input.len() - head_bytes).min(limit - self.body.len());
            grow(&mut self.body, decoded_max, limit);
            let progress = match decoder.decode(&self.input[head_bytes..], &mut self.body, limit) {
                Ok(progress) => progress,
                Err(refusal) if refusal.status() == 413 => return Ok(Some(Reason::TooLarge { limit })),
                Err(refusal) => {
                    let reason = refusal.to_string();
                    return Ok(Some(Reason::Http { status: refusal.status(), reason }));
                }
            };
            self.input.drain(head_bytes..head_bytes + progress.consumed);
            if progress.done {
                return Ok(None);
            }
            self.more(INPUT_BYTES, deadline).await?;
        }
    }

    /// Reads more of a request that has begun; [`io::ErrorKind::OutOfMemory`] if all
    /// requests together would hold too much.
    async fn more(&mut self, room_min: usize, deadline: Instant) -> io::Result<()> {
        if time::before(deadline, self.stream.read_more(&mut self.input, room_min)).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !self.held.grow(self.input.capacity() + self.body.capacity()) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        Ok(())
    }

    async fn write_continue(&mut self) -> io::Result<()> {
        self.write(encode::CONTINUE.to_vec()).await.map(drop)
    }

    async fn answer(&mut self, outcome: Outcome, close: bool, begun: Instant) -> io::Result<u16> {
        let mut output = std::mem::take(&mut self.output);
        output.clear();
        let ingress = &self.ingress;
        let answers = &ingress.answers;
        let status = match outcome {
            Outcome::Stored { last, broker, events, body_bytes } => {
                if let Some(last) = last {
                    ingress.store.stored(last).await;
                }
                answers.accepted(&mut output, close);
                ingress.metrics.accepted(events, body_bytes);
                ingress.dispatched(broker, 202, time::now() - begun);
                202
            }
            Outcome::Options => {
                answers.options(&mut output, close);
                200
            }
            Outcome::Probed(hash) => {
                answers.probed(&mut output, hash.as_deref(), close);
                200
            }
            Outcome::Refused(reason) => {
                answers.refused(&mut output, &reason, close);
                ingress.metrics.refused(reason.metric());
                reason.status()
            }
        };
        self.output = self.write(output).await?;
        if close && status >= 400 {
            self.linger().await;
        }
        Ok(status)
    }

    /// After an early refusal, lets the producer read it: a close with unread
    /// input would reset the connection and with it the answer.
    async fn linger(&mut self) {
        let until = time::now() + LINGER;
        // Nothing is done with what has arrived.
        (self.input, self.body) = (Vec::with_capacity(INPUT_BYTES), Vec::new());
        self.held = self.ingress.bodies.begin();
        if self.stream.shutdown_write().await.is_err() {
            return;
        }
        let mut discarded = 0;
        while discarded < LINGER_BYTES_MAX {
            self.input.clear();
            match time::before(until, self.stream.read_more(&mut self.input, INPUT_BYTES)).await {
                Ok(0) | Err(_) => break,
                Ok(bytes) => discarded += bytes,
            }
        }
        self.input.clear();
    }

    /// Writes to a producer that reads, and gives the buffer back.
    async fn write(&mut self, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let deadline = time::now() + self.ingress.settings.write_stall;
        time::before(deadline, async { Ok(self.stream.write_all(bytes).await?) }).await
    }
}

/// Makes room for `more` bytes. As a vector does by itself, but never for more than
/// `most`, which is all that can come: what is counted is what is reserved.
fn grow(buffer: &mut Vec<u8>, more: usize, most: usize) {
    if buffer.capacity() - buffer.len() < more {
        let doubled = most.min(2 * buffer.capacity());
        buffer.reserve_exact(doubled.saturating_sub(buffer.len()).max(more));
    }
}

/// A request with an event of the usual size.
const INPUT_BYTES: usize = 8 * 1024;
const OUTPUT_BYTES: usize = 256;
/// An idle connection keeps no larger buffer than this.
const KEPT_BYTES: usize = 64 * 1024;
/// A declared length reserves no more than this before bytes arrive.
const GROWTH_BYTES_MAX: usize = 64 * 1024;
/// How long, and for how many bytes, a refused request is read on.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: usize = 4 * 1024 * 1024;
