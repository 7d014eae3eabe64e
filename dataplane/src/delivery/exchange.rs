//! One request and its response on one connection.
//!
//! Promises: bounded time, bounded memory, and a connection that is kept only
//! when the response was read to its end. What the response means is decided by
//! `outcome`, not here.

use std::{
    io,
    time::{Duration, Instant},
};

use bytes::Bytes;
use eagre_http1::{Chunked, Framing, Headers, Limits, Refusal, parse_response};

use super::pool::Connection;
use crate::{
    limits::delivery::INTERIM_RESPONSES_MAX,
    runtime::{net::WriteError, time},
};

/// The final response to a request; its bytes stay in the connection.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    /// What `Retry-After` asks for, from now.
    pub(super) retry_after: Option<Duration>,
    /// The response says that it is a CloudEvent (contract 3.7).
    pub(super) claims_event: bool,
    /// The body was longer than the limit, and the rest of it was not read.
    pub(super) truncated: bool,
    /// The connection can take another request.
    pub(super) keep_alive: bool,
    /// It came on a connection that had answered before.
    reused: bool,
    head_bytes: usize,
    /// Bytes of a body that is not chunked.
    body_bytes: usize,
    chunked: bool,
}

impl Response {
    /// The server's word that it has waited long enough for a next request, which
    /// crossed ours (RFC 9110 section 15.5.9): it says nothing of our event.
    pub(super) const fn is_idle_timeout(&self) -> bool {
        self.status == 408 && self.reused && !self.keep_alive
    }
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    /// There is no connection.
    #[error("{0}")]
    Connect(io::Error),
    /// The connection took not one byte of the request: nobody can have acted upon
    /// it.
    #[error("{0}")]
    Unsent(io::Error),
    /// Nobody wants it any more; nothing was sent.
    #[error("the process is stopping")]
    Abandoned,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the connection ended before the response")]
    Closed,
    #[error("the response is not valid HTTP/1.1: {0}")]
    Invalid(#[from] Refusal),
    #[error("more than {INTERIM_RESPONSES_MAX} interim responses")]
    TooManyInterim,
}

/// What a response may cost.
pub(crate) struct ResponseLimits {
    pub(crate) http: Limits,
    pub(crate) body_bytes_max: usize,
}

impl Connection {
    /// Sends `output`, then `payload`, and reads the response, all before
    /// `deadline`.
    pub(super) async fn exchange(
        &mut self,
        payload: Option<Bytes>,
        limits: &ResponseLimits,
        deadline: Instant,
    ) -> Result<Response, ExchangeError> {
        // One deadline for all of it, and so one timer for each delivery.
        time::before(deadline, async { Ok(self.exchange_in_time(payload, limits).await) }).await?
    }

    async fn exchange_in_time(
        &mut self,
        payload: Option<Bytes>,
        limits: &ResponseLimits,
    ) -> Result<Response, ExchangeError> {
        let output = std::mem::take(&mut self.output);
        self.output = self.stream.write_all(output).await.map_err(unsent)?;
        let sent = match payload {
            Some(payload) => self.stream.write_all(payload).await.map(drop),
            None => Ok(()),
        };
        let response = self.read_response(limits).await;
        match (sent, response) {
            (Ok(()), response) => response,
            // A refusal that did not wait for the whole of a long event is an answer
            // all the same (RFC 9112 section 9.5); nobody has taken what was not sent.
            (Err(_), Ok(response)) if response.status >= 300 => {
                Ok(Response { keep_alive: false, ..response })
            }
            (Err(failed), _) => Err(failed.error.into()),
        }
    }

    async fn read_response(&mut self, limits: &ResponseLimits) -> Result<Response, ExchangeError> {
        self.input.clear();
        self.body.clear();
        let (mut response, framing) = self.read_head(limits).await?;
        match framing {
            Framing::None => {}
            Framing::Length(length) => self.read_length(&mut response, length, limits).await?,
            Framing::Chunked => self.read_chunked(&mut response, limits).await?,
            Framing::UntilClose => self.read_to_end(&mut response, limits).await?,
        }
        // Bytes after the response answer no request of ours: the connection
        // is not to be trusted.
        let unexpected = self.input.len() > response.head_bytes + response.body_bytes;
        response.keep_alive &= !response.truncated && !unexpected;
        Ok(response)
    }

    async fn read_head(&mut self, limits: &ResponseLimits) -> Result<(Response, Framing), ExchangeError> {
        let mut interim = 0;
        loop {
            match self.parse_head(limits)? {
                Some((response, _)) if response.status < 200 => {
                    interim += 1;
                    if interim > INTERIM_RESPONSES_MAX {
                        return Err(ExchangeError::TooManyInterim);
                    }
                    self.input.drain(..response.head_bytes);
                    continue;
                }
                Some(head) => return Ok(head),
                None => {}
            }
            let begun = !self.input.is_empty();
            match self.stream.read_more(&mut self.input, READ_BYTES).await {
                Ok(0) if begun => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(0) => return Err(ExchangeError::Closed),
                Err(error) if !begun && error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(ExchangeError::Closed);
                }
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
        }
    }

    /// Apart from the loop above, so that the parser's scratch is not part of
    /// every worker's state.
    fn parse_head(&self, limits: &ResponseLimits) -> Result<Option<(Response, Framing)>, ExchangeError> {
        let mut headers = Headers::new();
        let Some(head) = parse_response(&self.input, &mut headers, &limits.http)? else { return Ok(None) };
        let fields = head.headers.iter().map(|field| (field.name, field.value));
        let asks_to_wait = matches!(head.status, 429 | 503);
        let response = Response {
            status: head.status,
            retry_after: if asks_to_wait { retry_after(fields.clone()) } else { None },
            claims_event: head.status < 300 && eagre_event::is_event(fields),
            truncated: false,
            keep_alive: head.keep_alive,
            reused: self.reused,
            head_bytes: head.head_bytes,
            body_bytes: 0,
            chunked: head.framing == Framing::Chunked,
        };
        Ok(Some((response, head.framing)))
    }

    async fn read_length(
        &mut self,
        response: &mut Response,
        length: u64,
        limits: &ResponseLimits,
    ) -> Result<(), ExchangeError> {
        // A body over the limit is not worth reading on: what is kept of an
        // error is less than what has arrived.
        response.truncated = length > limits.body_bytes_max as u64;
        let wanted = if response.truncated { 0 } else { response.head_bytes + length as usize };
        while self.input.len() < wanted {
            let missing = wanted - self.input.len();
            if self.stream.read_more(&mut self.input, missing).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        response.body_bytes =
            if response.truncated { self.input.len() - response.head_bytes } else { length as usize };
        Ok(())
    }

    async fn read_chunked(
        &mut self,
        response: &mut Response,
        limits: &ResponseLimits,
    ) -> Result<(), ExchangeError> {
        let mut decoder = Chunked::new(&limits.http);
        loop {
            let received = &self.input[response.head_bytes..];
            let progress = match decoder.decode(received, &mut self.body, limits.body_bytes_max) {
                Ok(progress) => progress,
                Err(refusal) if refusal.status() == 413 => {
                    response.truncated = true;
                    return Ok(());
                }
                Err(refusal) => return Err(refusal.into()),
            };
            self.input.drain(response.head_bytes..response.head_bytes + progress.consumed);
            if progress.done {
                return Ok(());
            }
            if self.stream.read_more(&mut self.input, READ_BYTES).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }

    async fn read_to_end(
        &mut self,
        response: &mut Response,
        limits: &ResponseLimits,
    ) -> Result<(), ExchangeError> {
        response.keep_alive = false;
        while self.input.len() - response.head_bytes <= limits.body_bytes_max {
            if self.stream.read_more(&mut self.input, READ_BYTES).await? == 0 {
                response.body_bytes = self.input.len() - response.head_bytes;
                return Ok(());
            }
        }
        response.body_bytes = limits.body_bytes_max;
        response.truncated = true;
        Ok(())
    }

    /// The body of a response that was just read.
    pub(super) fn body(&self, response: &Response) -> &[u8] {
        if response.chunked {
            &self.body
        } else {
            &self.input[response.head_bytes..response.head_bytes + response.body_bytes]
        }
    }

    /// The response's fields, parsed once more: only replies need them.
    pub(super) fn with_fields<T>(
        &self,
        limits: &ResponseLimits,
        read: impl FnOnce(&[eagre_http1::Header<'_>]) -> T,
    ) -> Option<T> {
        let mut headers = Headers::new();
        let head = parse_response(&self.input, &mut headers, &limits.http).ok()??;
        Some(read(head.headers))
    }
}

fn unsent(failed: WriteError) -> ExchangeError {
    if failed.taken { ExchangeError::Io(failed.error) } else { ExchangeError::Unsent(failed.error) }
}

/// Bytes asked for when the length is not known.
const READ_BYTES: usize = 4 * 1024;

/// RFC 9110 section 10.2.3: seconds, or a date.
fn retry_after<'h>(mut fields: impl Iterator<Item = (&'h str, &'h [u8])>) -> Option<Duration> {
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
    let value = std::str::from_utf8(value).ok()?.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(value.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(time::calendar()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Option<Duration> {
        retry_after([("Retry-After", value.as_bytes())].into_iter())
    }

    #[test]
    fn retry_after_takes_seconds_and_dates() {
        assert_eq!(parse("7"), Some(Duration::from_secs(7)));
        assert_eq!(parse("99999999999999999999999"), Some(Duration::MAX));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let later = httpdate::fmt_http_date(time::calendar() + Duration::from_secs(100));
        assert!(parse(&later).is_some_and(|wait| wait > Duration::from_secs(90)));
    }

    #[test]
    fn nonsense_in_retry_after_is_no_wait() {
        for value in ["", "-1", "soon", "1.5", "0x10"] {
            assert_eq!(parse(value), None, "{value}");
        }
    }
}
