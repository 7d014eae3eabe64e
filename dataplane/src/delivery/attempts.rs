//! One event of one trigger, through its attempts, until its outcome is final.
//!
//! A worker's task is as large as the largest of what it may wait for, and there is
//! one for nearly every delivery. So what is rare (a new connection, a reply, a dead
//! letter) is waited for in a box of its own.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use eagre_snapshot::Counter;

use super::{
    backoff,
    exchange::{ExchangeError, Response},
    failure::Failure,
    lane::Lane,
    outcome::{Verdict, verdict},
    pool::{ConnectError, Connection},
    reply,
    request::{self, Target},
};
use crate::{
    canary::{Canary, planted},
    config::table::TriggerRoute,
    limits::delivery::{NO_ROOM_PAUSE, SHORTAGE_PAUSE},
    metrics::IgnoredReply,
    runtime::time,
    store::{Kept, Offset, Pending, Reason, StoredEvent},
};

/// An event to deliver.
pub(super) struct Job {
    pub(super) offset: Offset,
    /// Attempts that failed in the present stage.
    pub(super) failed: u16,
    /// What went wrong, once the event is on its way to the dead letter sink.
    pub(super) failure: Option<Box<Failure>>,
}

impl Job {
    /// As far as attempts have left off, in a few bits: what a restart has to know.
    pub(super) fn note(&self) -> u32 {
        self.failure.as_ref().map_or(0, |failure| IS_DEAD_LETTER | u32::from(failure.code.unwrap_or(0)))
    }

    /// The job of an event that a restart found unfinished.
    pub(super) fn resume(pending: &Pending, route: &TriggerRoute) -> Self {
        let code = Some(pending.note as u16).filter(|code| *code != 0);
        let failure = (pending.note & IS_DEAD_LETTER != 0).then(|| {
            // What came back with the failure is not kept across a restart.
            Box::new(Failure::new(&route.trigger.subscriber.uri, code, b"(not kept across a restart)"))
        });
        Self { offset: pending.location.offset, failed: pending.attempts, failure }
    }
}

/// The event is on its way to the dead letter sink.
const IS_DEAD_LETTER: u32 = 1 << 31;

/// An event on its way to a subscriber: all that an attempt needs.
pub(super) struct Delivery {
    pub(super) lane: Rc<Lane>,
    /// The trigger as it was configured when this began.
    pub(super) route: Arc<TriggerRoute>,
    pub(super) event: StoredEvent,
    pub(super) job: Job,
}

/// What one attempt led to.
pub(super) enum Attempt {
    /// The target has the event.
    Taken,
    /// It has not.
    Failed { failure: Failure, transient: bool, retry_after: Option<Duration> },
    /// There was none: the process stops, or the trigger has gone.
    Abandoned,
}

impl Attempt {
    pub(super) fn failed(failure: Failure, transient: bool) -> Self {
        Self::Failed { failure, transient, retry_after: None }
    }
}

impl Delivery {
    /// Reads the event; `None` if its trigger has gone.
    pub(super) fn begin(lane: &Rc<Lane>, job: Job) -> Option<Self> {
        let event = lane.room.store.event(lane.location(job.offset)?);
        let route = lane.route();
        if event.broker() != route.trigger.broker && planted(Canary::ForeignFinished) {
            lane.finish(job.offset);
            return None;
        }
        Some(Self { lane: Rc::clone(lane), route, event, job })
    }

    /// Attempts it until the outcome is final, or another attempt waits for its
    /// time.
    pub(super) async fn run(mut self) {
        loop {
            let route = Arc::clone(&self.route);
            // It has failed, and there is no sink, or not any more.
            let Some(target) = Target::of(&route, self.job.failure.as_deref()) else {
                return Box::pin(self.keep()).await;
            };
            let attempt = self.attempt(&target).await;
            if self.lane.is_closed() {
                // The trigger is gone, and with it its claim to the event.
                return;
            }
            let (failure, transient, retry_after) = match attempt {
                Attempt::Taken => return self.finish(),
                Attempt::Abandoned => return,
                Attempt::Failed { failure, transient, retry_after } => (failure, transient, retry_after),
            };
            self.lane.add(Counter::FailedAttempts, 1);
            self.job.failed = self.job.failed.saturating_add(1);
            if transient && self.job.failed <= self.route.retry_max() {
                return self.retry(retry_after);
            }
            // The subscriber's failure is what a dead letter tells of, also when
            // the sink fails in turn.
            let gives_up = self.job.failure.is_some();
            self.job.failure.get_or_insert_with(|| Box::new(failure));
            if gives_up {
                return Box::pin(self.keep()).await;
            }
            self.job.failed = 0;
            self.lane.note(&self.job);
        }
    }

    fn retry(self, retry_after: Option<Duration>) {
        let cap = self.lane.room.settings.retry_after_max;
        let settings = &self.route.trigger.delivery;
        let wait = backoff::wait(settings, u32::from(self.job.failed), retry_after, cap);
        self.lane.add(Counter::Retried, 1);
        self.lane.wait(self.job, wait);
    }

    fn finish(self) {
        let counter = if self.job.failure.is_none() { Counter::Delivered } else { Counter::DeadLettered };
        self.lane.add(counter, 1);
        self.lane.finish(self.job.offset);
    }

    /// The event goes to the shard's own store of dead letters.
    async fn keep(mut self) {
        let failure = self.job.failure.take().expect("a dead letter has a reason");
        let reason = Reason { code: failure.code, destination: &failure.destination, data: &failure.data };
        let (store, trigger) = (&self.lane.room.store, self.lane.id);
        // As in `connect`: a shortage costs no attempt.
        let is_kept = loop {
            match store.keep_dead_letter(trigger, &reason, &self.event).await {
                Kept::Stored => break true,
                Kept::Full => break false,
                Kept::NotNow if self.is_over() => return,
                Kept::NotNow => time::sleep(SHORTAGE_PAUSE).await,
            }
        };
        if !is_kept && self.route.trigger.dead_letter.is_some() {
            // The event stays where it is, and the sink is tried again.
            self.job.failure = Some(failure);
            self.job.failed = 0;
            return self.lane.wait(self.job, NO_ROOM_PAUSE);
        }
        // Without a sink the contract lets it go (3.8); it is counted.
        self.lane.add(if is_kept { Counter::Kept } else { Counter::Dropped }, 1);
        self.lane.finish(self.job.offset);
    }

    async fn attempt(&self, target: &Target<'_>) -> Attempt {
        let started = time::now();
        let exchanged = self.exchange(target).await;
        if let Err(ExchangeError::Abandoned) = exchanged {
            return Attempt::Abandoned;
        }
        let status = exchanged.as_ref().ok().map(|(_, response)| response.status);
        self.lane.dispatch.borrow().record(status, time::now() - started);
        match exchanged {
            Ok((connection, response)) => {
                let attempt = self.judge(target, &connection, &response).await;
                if response.keep_alive {
                    self.lane.room.pool.give_back(target.endpoint, connection);
                }
                attempt
            }
            Err(error) => {
                // Contract 3.8: without a response the code is 500, and the data
                // says what happened.
                let text = format!("dispatch error: {error}");
                Attempt::failed(Failure::new(&target.endpoint.uri, Some(500), text.as_bytes()), true)
            }
        }
    }

    /// Sends the event on a kept-alive connection, or on a new one when there is
    /// none. Where it is certain that a kept-alive one was closed before it could
    /// have acted upon the request, a new one is tried at once.
    async fn exchange(&self, target: &Target<'_>) -> Result<(Box<Connection>, Response), ExchangeError> {
        let room = &self.lane.room;
        if let Some(mut connection) = room.pool.take_idle(target.endpoint) {
            match self.send(target, &mut connection).await {
                Ok(response) if response.is_idle_timeout() => {}
                Err(ExchangeError::Unsent(_)) => {}
                Err(ExchangeError::Closed) if planted(Canary::SilenceSentAgain) => {}
                outcome => return outcome.map(|response| (connection, response)),
            }
        }
        let mut connection = Box::pin(self.connect(target)).await?;
        let response = self.send(target, &mut connection).await?;
        Ok((connection, response))
    }

    async fn send(
        &self,
        target: &Target<'_>,
        connection: &mut Connection,
    ) -> Result<Response, ExchangeError> {
        let payload = request::render(target, &self.event, &mut connection.output);
        connection.exchange(payload, &self.lane.room.response_limits, self.deadline()).await
    }

    fn deadline(&self) -> Instant {
        let timeout = self.route.trigger.delivery.timeout_ms;
        time::now() + timeout.map_or(self.lane.room.settings.timeout, Duration::from_millis)
    }

    /// A new connection. What this process or machine is short of is waited for:
    /// it is not the subscriber's failure, and costs the event no attempt.
    async fn connect(&self, target: &Target<'_>) -> Result<Box<Connection>, ExchangeError> {
        loop {
            match self.lane.room.pool.connect(target.endpoint).await {
                Ok(_) if self.is_over() => return Err(ExchangeError::Abandoned),
                Ok(connection) => return Ok(connection),
                Err(ConnectError::Refused(error)) => return Err(ExchangeError::Connect(error)),
                Err(ConnectError::Shortage(error)) => {
                    self.lane.room.metrics.delivery_paused();
                    tracing::debug!(trigger = %self.lane.id, "a delivery waits: {error}");
                    time::sleep(SHORTAGE_PAUSE).await;
                    if self.is_over() {
                        return Err(ExchangeError::Abandoned);
                    }
                }
            }
        }
    }

    /// Nobody wants it delivered now.
    pub(super) fn is_over(&self) -> bool {
        self.lane.room.is_draining() || self.lane.is_closed()
    }

    async fn judge(&self, target: &Target<'_>, connection: &Connection, response: &Response) -> Attempt {
        let failed = |transient| Attempt::Failed {
            failure: Failure::new(&target.endpoint.uri, Some(response.status), connection.body(response)),
            transient,
            retry_after: response.retry_after,
        };
        match verdict(response.status) {
            Verdict::Transient => failed(true),
            Verdict::Permanent => failed(false),
            Verdict::Delivered if response.claims_event && self.job.failure.is_none() => {
                Box::pin(reply::take(self, target, connection, response)).await
            }
            Verdict::Delivered | Verdict::Accepted => {
                if response.claims_event {
                    self.lane.room.metrics.reply_ignored(IgnoredReply::Accepted);
                } else if !connection.body(response).is_empty() {
                    self.lane.room.metrics.reply_ignored(IgnoredReply::NotAnEvent);
                }
                Attempt::Taken
            }
        }
    }
}
