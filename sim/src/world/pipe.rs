//! Bytes on their way from one end of a connection to the other.

use std::{collections::VecDeque, io, task::Waker};

use super::Nanos;

/// Bytes that may be on their way before a writer waits.
const CAPACITY: usize = 64 * 1024;

/// One direction of a connection.
#[derive(Default)]
pub(super) struct Pipe {
    /// What was written, with when it arrives; ascending.
    arriving: VecDeque<(Nanos, VecDeque<u8>)>,
    bytes: usize,
    last_at: Nanos,
    fin_at: Option<Nanos>,
    reset_at: Option<Nanos>,
    /// Nobody will read any more.
    pub(super) reader_gone: bool,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

/// What a reader finds.
pub(super) enum Found {
    Bytes(Vec<u8>),
    End,
    Reset,
    /// Nothing; something arrives at this time, if it is known.
    Nothing(Option<Nanos>),
}

impl Pipe {
    /// Room for a writer.
    pub(super) fn room(&self) -> usize {
        CAPACITY.saturating_sub(self.bytes)
    }

    /// Bytes arrive at `at`, or right behind those before.
    pub(super) fn write(&mut self, bytes: &[u8], at: Nanos) {
        let at = at.max(self.last_at);
        self.last_at = at;
        self.bytes += bytes.len();
        self.arriving.push_back((at, bytes.iter().copied().collect()));
        self.wake_reader();
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self, at: Nanos) {
        let at = at.max(self.last_at);
        self.last_at = at;
        self.fin_at.get_or_insert(at);
        self.wake_reader();
    }

    /// The connection is gone for the reader, and with it what was not read.
    pub(super) fn reset(&mut self, at: Nanos) {
        self.reset_at = Some(self.reset_at.map_or(at, |before| before.min(at)));
        self.wake_reader();
    }

    pub(super) fn is_reset(&self, now: Nanos) -> bool {
        self.reset_at.is_some_and(|at| at <= now)
    }

    /// At most `max` of what has arrived.
    pub(super) fn read(&mut self, max: usize, now: Nanos) -> Found {
        if self.is_reset(now) {
            return Found::Reset;
        }
        let mut taken = Vec::new();
        while let Some((at, bytes)) = self.arriving.front_mut()
            && *at <= now
            && taken.len() < max
        {
            let part = bytes.len().min(max - taken.len());
            taken.extend(bytes.drain(..part));
            if bytes.is_empty() {
                self.arriving.pop_front();
            }
        }
        if !taken.is_empty() {
            self.bytes -= taken.len();
            if let Some(writer) = self.writer.take() {
                writer.wake();
            }
            return Found::Bytes(taken);
        }
        if self.fin_at.is_some_and(|at| at <= now) && self.arriving.is_empty() {
            return Found::End;
        }
        let first = self.arriving.front().map(|(at, _)| *at);
        Found::Nothing(first.into_iter().chain(self.fin_at).chain(self.reset_at).min())
    }

    /// Something was not read.
    pub(super) fn holds_bytes(&self) -> bool {
        self.bytes > 0
    }

    /// Nothing has arrived that was not read.
    pub(super) fn is_quiet(&self, now: Nanos) -> bool {
        let first = self.arriving.front().map(|(at, _)| *at);
        first.into_iter().chain(self.fin_at).chain(self.reset_at).all(|at| at > now)
    }

    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

pub(super) fn reset_error() -> io::Error {
    io::Error::from_raw_os_error(104)
}

pub(super) fn broken_pipe() -> io::Error {
    io::Error::from_raw_os_error(32)
}
