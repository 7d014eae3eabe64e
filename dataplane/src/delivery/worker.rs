//! One event at a time through its attempts, until its outcome is final.

use std::{
    io,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use eagre_event::Record;
use eagre_snapshot::Counter;
use eagre_wal::Lsn;

use super::{
    backoff,
    deadletter::Failure,
    exchange::{ExchangeError, Response},
    lane::{Job, Lane, Next},
    outcome::{Verdict, verdict},
    pool::Connection,
    reply::{self, Refused},
    request::{self, Target},
};
use crate::{envelope::Envelope, exit, metrics::IgnoredReply, net, shard::Shard, table::TriggerRoute};

/// Starts as many workers as the lane has events for and its parallelism
/// allows.
pub(crate) fn kick(shard: &Rc<Shard>, lane: &Rc<Lane>) {
    while !shard.is_draining() && lane.admit_worker() {
        match lane.next(&shard.log, &shard.backlogs) {
            Next::Job(job) => net::spawn(work(Rc::clone(shard), Rc::clone(lane), job)),
            nothing => {
                lane.worker_ended();
                return pause(shard, lane, &nothing);
            }
        }
    }
}

async fn work(shard: Rc<Shard>, lane: Rc<Lane>, mut job: Job) {
    loop {
        deliver(&shard, &lane, job).await;
        if shard.is_draining() {
            break;
        }
        match lane.next(&shard.log, &shard.backlogs) {
            Next::Job(next) => job = next,
            nothing => {
                pause(&shard, &lane, &nothing);
                break;
            }
        }
    }
    lane.worker_ended();
}

/// After a stretch of the log without a match, the others come first.
fn pause(shard: &Rc<Shard>, lane: &Rc<Lane>, nothing: &Next) {
    if matches!(nothing, Next::Later) && lane.begin_scan_pause() {
        let (shard, lane) = (Rc::clone(shard), Rc::clone(lane));
        net::spawn(async move {
            net::sleep(SCAN_PAUSE).await;
            lane.end_scan_pause();
            kick(&shard, &lane);
        });
    }
}

const SCAN_PAUSE: Duration = Duration::from_millis(1);

/// What one attempt led to.
enum Attempt {
    Delivered,
    Failed { failure: Failure, transient: bool, retry_after: Option<Duration> },
}

async fn deliver(shard: &Rc<Shard>, lane: &Rc<Lane>, mut job: Job) {
    let route = lane.route();
    let Some(body) = shard.stored_event(&route, &job, lane.moved_to(job.lsn)) else {
        tracing::error!(lsn = %job.lsn, "an event that was still to be delivered is not in the log");
        return lane.finish(job.lsn);
    };
    let record = event_of(&body, job.lsn);
    loop {
        let attempt = attempt(shard, lane, &route, &job, &record, &body).await;
        let (failure, transient, retry_after) = match attempt {
            Attempt::Delivered => return finish(lane, &job),
            Attempt::Failed { failure, transient, retry_after } => (failure, transient, retry_after),
        };
        lane.counters.add(Counter::FailedAttempts, 1);
        if lane.is_closed() {
            // The trigger is gone, and with it its claim to the event.
            return;
        }
        job.failed = job.failed.saturating_add(1);
        let settings = &route.trigger.delivery;
        if transient && job.failed <= route.retry_max() {
            let cap = shard.config.delivery.retry_after_max;
            let wait = backoff::wait(settings, u32::from(job.failed), retry_after, cap);
            lane.counters.add(Counter::Retried, 1);
            let due_ms = shard.now_ms() + wait.as_millis() as u64;
            lane.waits(&job, due_ms);
            return shard.timers.add(due_ms, lane.id, job);
        }
        // The subscriber's failure is what a dead letter tells of, also when
        // the sink fails in turn.
        let gives_up = job.failure.is_some() || route.trigger.dead_letter.is_none();
        let failure = job.failure.take().unwrap_or_else(|| Box::new(failure));
        if gives_up {
            return keep(shard, lane, &route, job, *failure, &body).await;
        }
        job = Job { lsn: job.lsn, failed: 0, failure: Some(failure) };
    }
}

impl Shard {
    /// The log record of an event, from the shard's log or from where it was
    /// moved to.
    fn stored_event(&self, route: &TriggerRoute, job: &Job, moved_to: Option<Lsn>) -> Option<Bytes> {
        match moved_to {
            None => Some(self.log.read(job.lsn).filter(|entry| entry.lsn == job.lsn)?.body),
            Some(at) => {
                let event = self.backlogs.get(route.trigger.broker)?.event(at)?;
                (event.source == job.lsn).then_some(event.body)
            }
        }
    }
}

fn event_of(body: &Bytes, lsn: Lsn) -> Record<'_> {
    let event = Envelope::parse(body).map_err(|e| e.to_string());
    match event.and_then(|envelope| envelope.event().map_err(|e| e.to_string())) {
        Ok(record) => record,
        Err(reason) => {
            tracing::error!(%lsn, "cannot read an event of the log, stopping: {reason}");
            exit::now(exit::DAMAGE)
        }
    }
}

fn finish(lane: &Lane, job: &Job) {
    match job.failure {
        None => lane.counters.add(Counter::Delivered, 1),
        Some(_) => lane.counters.add(Counter::DeadLettered, 1),
    }
    lane.finish(job.lsn);
}

/// The event goes to the shard's own store of dead letters.
async fn keep(
    shard: &Rc<Shard>,
    lane: &Rc<Lane>,
    route: &TriggerRoute,
    mut job: Job,
    failure: Failure,
    body: &Bytes,
) {
    if shard.graveyard.keep(lane.id, &failure, body).await {
        lane.counters.add(Counter::Kept, 1);
    } else if route.trigger.dead_letter.is_some() {
        // No room: the event stays where it is, and the sink is tried again.
        let due_ms = shard.now_ms() + NO_ROOM_WAIT.as_millis() as u64;
        job.failure = Some(Box::new(failure));
        job.failed = 0;
        lane.waits(&job, due_ms);
        return shard.timers.add(due_ms, lane.id, job);
    } else {
        // Without a sink the contract lets it go (3.8); it is counted.
        lane.counters.add(Counter::Dropped, 1);
    }
    lane.finish(job.lsn);
}

const NO_ROOM_WAIT: Duration = Duration::from_secs(30);

async fn attempt(
    shard: &Rc<Shard>,
    lane: &Rc<Lane>,
    route: &TriggerRoute,
    job: &Job,
    record: &Record<'_>,
    body: &Bytes,
) -> Attempt {
    // A trigger whose sink was removed while its event was on the way there.
    let Some(target) = Target::of(route, job) else {
        let failure = job.failure.as_deref().cloned().unwrap_or_else(|| Failure::new("", None, &[]));
        return Attempt::Failed { failure, transient: false, retry_after: None };
    };
    let started = Instant::now();
    let exchanged = exchange(shard, route, &target, record, body).await;
    let status = exchanged.as_ref().ok().map(|(_, response)| response.status);
    lane.dispatch.record(status, started.elapsed());
    let (connection, response) = match exchanged {
        Ok(exchanged) => exchanged,
        Err(error) => {
            // Contract 3.8: without a response the code is 500, and the data
            // says what happened.
            let text = format!("dispatch error: {error}");
            let failure = Failure::new(&target.endpoint.uri, Some(500), text.as_bytes());
            return Attempt::Failed { failure, transient: true, retry_after: None };
        }
    };
    let attempt = judge(shard, lane, route, job, record, &target, &connection, &response).await;
    if response.keep_alive {
        shard.pool.give_back(target.endpoint, connection);
    }
    attempt
}

/// Sends the event on a kept-alive connection, or on a new one when there is
/// none or it turns out to be closed.
async fn exchange(
    shard: &Rc<Shard>,
    route: &TriggerRoute,
    target: &Target<'_>,
    record: &Record<'_>,
    body: &Bytes,
) -> Result<(Connection, Response), ExchangeError> {
    let timeout =
        route.trigger.delivery.timeout_ms.map_or(shard.config.delivery.timeout, Duration::from_millis);
    loop {
        let mut connection = match shard.pool.take_idle(target.endpoint) {
            Some(connection) => connection,
            None => shard.pool.connect(target.endpoint).await?,
        };
        let payload = request::render(target, record, body, &mut connection.output);
        let deadline = Instant::now() + timeout;
        match connection.exchange(payload, &shard.response_limits, deadline).await {
            Ok(response) => return Ok((connection, response)),
            // The subscriber closed while we sent: no attempt of ours, once
            // the connection was only kept alive.
            Err(error) if connection.reused && is_stale(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_stale(error: &ExchangeError) -> bool {
    match error {
        ExchangeError::Closed => true,
        ExchangeError::Io(error) => {
            matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
        }
        ExchangeError::Invalid(_) | ExchangeError::TooManyInterim => false,
    }
}

#[expect(clippy::too_many_arguments, reason = "the whole of one attempt, looked at once")]
async fn judge(
    shard: &Rc<Shard>,
    lane: &Rc<Lane>,
    route: &TriggerRoute,
    job: &Job,
    record: &Record<'_>,
    target: &Target<'_>,
    connection: &Connection,
    response: &Response,
) -> Attempt {
    let verdict = verdict(response.status);
    let failed = |transient: bool| Attempt::Failed {
        failure: Failure::new(&target.endpoint.uri, Some(response.status), connection.body(response)),
        transient,
        retry_after: response.retry_after,
    };
    match verdict {
        Verdict::Transient => failed(true),
        Verdict::Permanent => failed(false),
        Verdict::Delivered if response.claims_event && job.failure.is_none() => {
            match reply::append(shard, lane, route, job.lsn, record.ttl(), connection, response) {
                Ok(stored) => {
                    // At once: a cursor that is stored meanwhile must not bring
                    // the event back.
                    lane.finish(job.lsn);
                    shard.log.committed(stored).await;
                    lane.counters.add(Counter::Replies, 1);
                    Attempt::Delivered
                }
                Err(refused) => reply_refused(shard, route, target, &refused),
            }
        }
        Verdict::Delivered | Verdict::Accepted => {
            if response.claims_event {
                shard.metrics.reply_ignored(IgnoredReply::Accepted);
            } else if !connection.body(response).is_empty() {
                shard.metrics.reply_ignored(IgnoredReply::NotAnEvent);
            }
            Attempt::Delivered
        }
    }
}

/// Contract 3.7: a reply that the broker refuses fails the delivery; the dead
/// letter names the broker.
fn reply_refused(shard: &Shard, route: &TriggerRoute, target: &Target<'_>, refused: &Refused) -> Attempt {
    let text = refused.to_string();
    let failure = match refused {
        Refused::Malformed(_) => Failure::new(&target.endpoint.uri, Some(502), text.as_bytes()),
        _ => {
            let broker = format!("http://{}/{}", shard.address, route.broker_path);
            Failure::new(&broker, Some(refused.status()), text.as_bytes())
        }
    };
    Attempt::Failed { failure, transient: refused.is_transient(), retry_after: None }
}
