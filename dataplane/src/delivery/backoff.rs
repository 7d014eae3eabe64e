//! How long to wait before the next attempt. Pure.

use crate::canary::{Canary, planted};

use std::time::Duration;

use eagre_snapshot::{Backoff, Delivery};

/// The wait before retry number `retry` (1 for the first), contract 3.2 as
/// design section 5 decides: linear d, 2d, 3d …; exponential d, 2d, 4d …
///
/// `retry_after` is what the subscriber asked for with 429 or 503; it extends
/// the wait up to the trigger's `retryAfterMax`, or up to `retry_after_cap`
/// where that is left out (contract 3.4).
pub(super) fn wait(
    delivery: &Delivery,
    retry: u32,
    retry_after: Option<Duration>,
    retry_after_cap: Duration,
) -> Duration {
    let factor = match delivery.backoff {
        Backoff::Linear => u64::from(retry),
        Backoff::Exponential => 1u64.checked_shl(retry.saturating_sub(1)).unwrap_or(u64::MAX),
    };
    let backoff = Duration::from_millis(delivery.backoff_delay_ms.saturating_mul(factor)).min(WAIT_MAX);
    let cap = delivery.retry_after_max_ms.map_or(retry_after_cap, Duration::from_millis);
    backoff.max(retry_after.unwrap_or_default().min(cap))
}

/// No wait of this policy is longer, whatever a subscriber asks for.
pub(super) fn longest(delivery: &Delivery, retry_after_cap: Duration) -> Duration {
    let asked = Some(Duration::MAX);
    wait(delivery, delivery.retry_max.max(1), asked, retry_after_cap)
}

/// What is left at `now_ms` of a wait that was to end at `due_ms`, both by the
/// calendar. That may have been set in between, to any time: nobody waits longer
/// than `longest`, and what is overdue not at all.
pub(super) fn left(due_ms: u64, now_ms: u64, longest: Duration) -> Duration {
    let longest = if planted(Canary::CalendarBelieved) { Duration::MAX } else { longest };
    Duration::from_millis(due_ms.saturating_sub(now_ms)).min(longest)
}

/// No wait is longer, however many doublings: a schedule must fit the calendar
/// and an operator's patience.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(backoff: Backoff, backoff_delay_ms: u64, retry_after_max_ms: Option<u64>) -> Delivery {
        Delivery {
            retry_max: 3,
            backoff,
            backoff_delay_ms,
            timeout_ms: None,
            retry_after_max_ms,
            format: eagre_snapshot::Format::Binary,
        }
    }

    const CAP: Duration = Duration::from_secs(300);

    fn waits(delivery: &Delivery) -> Vec<u64> {
        (1..=4).map(|retry| wait(delivery, retry, None, CAP).as_millis() as u64).collect()
    }

    #[test]
    fn linear_waits_grow_by_the_delay() {
        assert_eq!(waits(&delivery(Backoff::Linear, 1000, None)), [1000, 2000, 3000, 4000]);
    }

    #[test]
    fn exponential_waits_double() {
        assert_eq!(waits(&delivery(Backoff::Exponential, 200, None)), [200, 400, 800, 1600]);
    }

    #[test]
    fn no_delay_retries_at_once() {
        assert_eq!(waits(&delivery(Backoff::Exponential, 0, None)), [0, 0, 0, 0]);
    }

    #[test]
    fn endless_doubling_stays_below_a_day() {
        let delivery = delivery(Backoff::Exponential, u64::MAX, None);
        assert_eq!(wait(&delivery, u32::MAX, None, CAP), WAIT_MAX);
    }

    #[test]
    fn no_wait_exceeds_the_longest() {
        for backoff in [Backoff::Linear, Backoff::Exponential] {
            let delivery = delivery(backoff, 700, None);
            let longest = longest(&delivery, CAP);
            for retry in 1..=delivery.retry_max {
                assert!(wait(&delivery, retry, Some(Duration::MAX), CAP) <= longest);
            }
        }
    }

    #[test]
    fn a_wait_that_was_begun_by_a_wrong_calendar_is_no_longer_than_any_other() {
        const DAY_MS: u64 = 24 * 60 * 60 * 1000;
        let longest = longest(&delivery(Backoff::Exponential, 500, Some(0)), CAP);
        assert_eq!(longest, Duration::from_secs(2), "500 ms, doubled twice");
        let now_ms = 20_000 * DAY_MS;
        assert_eq!(left(now_ms + 700, now_ms, longest), Duration::from_millis(700));
        for ahead in [2001, DAY_MS, u64::MAX - now_ms] {
            assert_eq!(left(now_ms + ahead, now_ms, longest), longest);
        }
        for behind in [0, 1, DAY_MS, now_ms] {
            assert_eq!(left(now_ms - behind, now_ms, longest), Duration::ZERO);
        }
    }

    #[test]
    fn retry_after_extends_the_wait_up_to_its_cap() {
        let asked = Some(Duration::from_secs(30));
        let seconds = |d: &Delivery| wait(d, 1, asked, CAP).as_secs();
        assert_eq!(seconds(&delivery(Backoff::Linear, 1000, None)), 30);
        assert_eq!(seconds(&delivery(Backoff::Linear, 1000, Some(10_000))), 10);
        assert_eq!(seconds(&delivery(Backoff::Linear, 1000, Some(0))), 1);
        assert_eq!(wait(&delivery(Backoff::Linear, 0, None), 1, Some(Duration::MAX), CAP), CAP);
    }
}
