//! The rules that all living sets share.

use eagre_api::status::{Condition, ConditionStatus, READY};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::outcome::Failure;

/// What there is to say about one aspect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, in one word.
    pub reason: Option<String>,
    /// Why, in a sentence.
    pub message: Option<String>,
}

impl Verdict {
    pub(super) const TRUE: Verdict = Verdict { status: ConditionStatus::True, reason: None, message: None };

    pub(super) fn holds(reason: &str, message: &str) -> Verdict {
        Verdict::new(ConditionStatus::True, reason, message)
    }

    pub(super) fn fails(reason: &str, message: impl Into<String>) -> Verdict {
        Verdict::new(ConditionStatus::False, reason, message)
    }

    pub(super) fn open(reason: &str, message: impl Into<String>) -> Verdict {
        Verdict::new(ConditionStatus::Unknown, reason, message)
    }

    fn new(status: ConditionStatus, reason: &str, message: impl Into<String>) -> Verdict {
        let message = Some(message.into()).filter(|message| !message.is_empty());
        Verdict { status, reason: Some(reason.to_owned()), message }
    }

    pub(super) fn of<T>(result: Result<T, &Failure>) -> Verdict {
        match result {
            Ok(_) => Verdict::TRUE,
            Err(failure) if failure.certain => Verdict::fails(&failure.reason, failure.message()),
            Err(failure) => Verdict::open(&failure.reason, failure.message()),
        }
    }

    /// Whether it holds.
    pub fn is_true(&self) -> bool {
        self.status == ConditionStatus::True
    }
}

/// The verdict on the whole: `aspects` in the order in which a reason is looked for.
pub(super) fn ready(aspects: &[(&'static str, Verdict)]) -> Verdict {
    let first = |status| aspects.iter().map(|(_, verdict)| verdict).find(|verdict| verdict.status == status);
    first(ConditionStatus::False)
        .or_else(|| first(ConditionStatus::Unknown))
        .cloned()
        .unwrap_or(Verdict::TRUE)
}

/// The conditions, those on which nothing has changed with the time they had.
pub(super) fn conditions(
    aspects: Vec<(&'static str, Verdict)>,
    ready: Verdict,
    former: &[Condition],
    now: &Time,
) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = aspects
        .into_iter()
        .chain([(READY, ready)])
        .map(|(type_, Verdict { status, reason, message })| {
            let mut condition = Condition {
                type_: type_.to_owned(),
                status,
                reason,
                message,
                severity: None,
                last_transition_time: None,
            };
            let same = |former: &&Condition| {
                condition == Condition { last_transition_time: None, ..Condition::clone(former) }
            };
            let since = former.iter().find(same).and_then(|former| former.last_transition_time.clone());
            condition.last_transition_time = Some(since.unwrap_or_else(|| now.clone()));
            condition
        })
        .collect();
    conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
    conditions
}
