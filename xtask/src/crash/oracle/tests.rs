use super::*;
use crate::crash::history::Sent;

/// A history that a test makes up, event by event.
struct Story {
    triggers: Vec<Trigger>,
    seen: Seen,
}

impl Story {
    /// A trigger for everything, one for payments.
    fn new() -> Self {
        let payments = Trigger { wants: Some(Kind::Payment), ..Trigger::default() };
        Self { triggers: vec![Trigger::default(), payments], seen: Seen::default() }
    }

    fn sent(&mut self, number: u64, kind: Kind, acknowledged: bool) {
        self.seen.sent.insert(order(number), Sent { kind, hash: number, bytes: 1, acknowledged });
    }

    /// A delivery that was accepted, in the present run.
    fn delivered(&mut self, trigger: usize, number: u64) -> &mut Delivery {
        let id = order(number);
        let kind = self.seen.sent.get(&id).map(|sent| sent.kind);
        let run = self.seen.crashes.len();
        let delivery = Delivery { trigger, sink: false, id, kind, hash: number, accepted: true, run };
        self.seen.deliveries.push(delivery);
        self.seen.deliveries.last_mut().unwrap()
    }

    /// A crash, after which the first trigger is owed these events.
    fn crash(&mut self, owed: &[u64]) {
        let owed = owed.iter().map(|number| order(*number)).collect();
        self.seen.crashes.push(Owed::of(vec![owed, HashSet::new()]));
    }

    fn violations(&self) -> Vec<Violation> {
        judge(&self.triggers, &self.seen).violations
    }
}

fn order(number: u64) -> EventId {
    EventId { number, reply: false }
}

#[test]
fn what_was_acknowledged_and_accepted_is_in_order() {
    let mut story = Story::new();
    story.sent(1, Kind::Order, true);
    story.sent(2, Kind::Payment, true);
    story.delivered(0, 1);
    story.delivered(0, 2);
    story.delivered(1, 2);
    assert_eq!(story.violations(), []);
}

#[test]
fn an_acknowledged_event_that_one_trigger_never_got_is_lost() {
    let mut story = Story::new();
    story.sent(2, Kind::Payment, true);
    story.delivered(0, 2);
    assert_eq!(story.violations(), [Violation::Lost { trigger: 1, ids: vec![order(2)] }]);
}

#[test]
fn a_delivery_that_was_refused_is_none() {
    let mut story = Story::new();
    story.sent(1, Kind::Order, true);
    story.delivered(0, 1).accepted = false;
    assert_eq!(story.violations(), [Violation::Lost { trigger: 0, ids: vec![order(1)] }]);
}

#[test]
fn what_a_dead_letter_sink_took_is_not_lost() {
    let mut story = Story::new();
    story.sent(1, Kind::Order, true);
    story.delivered(0, 1).sink = true;
    assert_eq!(story.violations(), []);
}

#[test]
fn an_event_without_an_answer_may_be_there_or_not() {
    let mut story = Story::new();
    story.sent(1, Kind::Order, false);
    story.sent(2, Kind::Order, false);
    story.delivered(0, 2);
    assert_eq!(story.violations(), []);
}

#[test]
fn the_reply_to_an_acknowledged_event_must_come() {
    let mut story = Story::new();
    story.triggers[1].replies = true;
    story.sent(2, Kind::Payment, true);
    story.delivered(0, 2);
    story.delivered(1, 2);
    let reply = EventId { number: 2, reply: true };
    assert_eq!(story.violations(), [Violation::Lost { trigger: 0, ids: vec![reply] }]);
}

#[test]
fn other_bytes_another_type_or_an_unknown_id_are_inventions() {
    let mut story = Story::new();
    story.sent(1, Kind::Order, true);
    story.delivered(0, 1);
    story.delivered(0, 1).hash = 9;
    story.crash(&[1]);
    story.delivered(0, 1).kind = Some(Kind::Payment);
    story.delivered(1, 1);
    story.delivered(0, 7);
    let invented = |violation: &Violation| matches!(violation, Violation::Invented { .. });
    assert_eq!(story.violations().iter().filter(|violation| invented(violation)).count(), 4);
}

#[test]
fn a_repetition_of_what_the_disk_owed_is_counted_and_no_violation() {
    let mut story = Story::new();
    story.sent(1, Kind::Order, true);
    story.delivered(0, 1);
    story.crash(&[1]);
    story.delivered(0, 1);
    let judgement = judge(&story.triggers, &story.seen);
    assert_eq!((judgement.violations, judgement.duplicates), (vec![], 1));
}

#[test]
fn a_repetition_in_one_run_is_a_violation() {
    let mut story = Story::new();
    story.sent(1, Kind::Order, true);
    story.crash(&[1]);
    story.delivered(0, 1);
    story.delivered(0, 1);
    let twice = Violation::Repeated { trigger: 0, id: order(1), run: 1, finished: None };
    assert_eq!(story.violations(), [twice]);
}

#[test]
fn in_one_run_a_trigger_that_replies_may_get_an_event_again() {
    let mut story = Story::new();
    story.triggers[1].replies = true;
    story.sent(1, Kind::Payment, false);
    story.delivered(1, 1);
    story.delivered(1, 1);
    assert_eq!(story.violations(), []);
}

#[test]
fn what_the_disk_called_finished_must_not_come_again_not_even_to_be_refused() {
    for accepted in [true, false] {
        for replies in [true, false] {
            let mut story = Story::new();
            story.triggers[0].replies = replies;
            story.sent(1, Kind::Order, false);
            story.delivered(0, 1);
            story.crash(&[]);
            // An older cursor that comes back does not excuse it.
            story.crash(&[1]);
            story.delivered(0, 1).accepted = accepted;
            let finished = Violation::Repeated { trigger: 0, id: order(1), run: 2, finished: Some(0) };
            assert_eq!(story.violations(), [finished]);
        }
    }
}

#[test]
fn what_was_refused_before_the_crash_may_come_whatever_the_disk_says() {
    let mut story = Story::new();
    story.sent(1, Kind::Order, false);
    story.delivered(0, 1).accepted = false;
    story.crash(&[]);
    story.delivered(0, 1);
    assert_eq!(story.violations(), []);
}

#[test]
fn what_is_missing_and_not_owed_is_lost() {
    let mut story = Story::new();
    story.triggers[1].replies = true;
    story.sent(1, Kind::Order, true);
    story.sent(2, Kind::Payment, true);
    let owed = |first: &[u64], second: &[u64]| {
        let ids = [first, second].map(|ids| ids.iter().map(|id| order(*id)).collect());
        lost(&story.triggers, &story.seen, &Owed::of(ids.to_vec()))
    };
    assert_eq!(owed(&[1, 2], &[2]), HashSet::new(), "the reply to 2 is still to come");
    let reply = EventId { number: 2, reply: true };
    assert_eq!(owed(&[1], &[]), HashSet::from([(0, order(2)), (1, order(2)), (0, reply)]));
}
