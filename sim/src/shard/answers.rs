//! How a subscriber may answer.

use crate::{
    random::Random,
    shard::plan::Rates,
    world::{MILLISECOND, Nanos},
};

/// What a subscriber does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// An answer with this status at once.
    Status(u16),
    /// 200 with an event.
    Reply,
    /// Nothing, until the other end has enough.
    Hang,
    /// A part of an answer, then a reset.
    ResetAfter(u64),
    /// An answer with this status after a while.
    Late(u16, Nanos),
    /// An answer with this status, and after a while another one, of 200.
    Twice(u16, Nanos),
    /// An answer, and after a while 408 and the end, as of a server that waits for
    /// the next request.
    IdleTimeout(Nanos),
    /// An answer, and the end of the connection.
    Close { announced: bool },
}

const FAILURES: [u16; 10] = [500, 503, 429, 404, 409, 400, 410, 302, 418, 501];

impl Manner {
    /// One that the seed allows.
    pub(super) fn draw(rates: &Rates, random: &mut Random) -> Self {
        let soon = |random: &mut Random| random.below(300 * MILLISECOND);
        let status = |random: &mut Random| {
            if random.coin() { random.pick(&FAILURES) } else { random.pick(&[200, 202, 204]) }
        };
        if random.chance(rates.failure) {
            return Self::Status(random.pick(&FAILURES));
        }
        if random.chance(rates.hang) {
            return Self::Hang;
        }
        if random.chance(rates.reset) {
            return Self::ResetAfter(random.below(60));
        }
        if random.chance(rates.late) {
            return Self::Late(status(random), random.below(5000 * MILLISECOND));
        }
        if random.chance(rates.noise) {
            if random.coin() {
                return Self::IdleTimeout(soon(random));
            }
            return Self::Twice(status(random), soon(random));
        }
        if random.chance(rates.close) {
            return Self::Close { announced: random.coin() };
        }
        if random.chance(rates.reply) {
            return Self::Reply;
        }
        Self::Status(random.pick(&[200, 202, 204]))
    }

    /// The status of the answer.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Status(status) | Self::Late(status, _) | Self::Twice(status, _) => status,
            Self::Reply | Self::Hang | Self::ResetAfter(_) | Self::IdleTimeout(_) | Self::Close { .. } => 200,
        }
    }
}

/// A plain answer.
pub(super) fn render(status: u16, fields: &str, body: &str) -> Vec<u8> {
    let length = if status == 204 { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    format!("HTTP/1.1 {status} Sim\r\n{fields}{length}\r\n{body}").into_bytes()
}
