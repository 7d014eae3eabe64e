use super::*;
use crate::crash::history::Sent;

/// A history that a test makes up, event by event.
struct Story {
    start: Instant,
    triggers: Vec<Trigger>,
    seen: Seen,
}

impl Story {
    /// A trigger for everything, one for payments.
    fn new() -> Self {
        let payments = Trigger { wants: Some(Kind::Payment), ..Trigger::default() };
        Self { start: Instant::now(), triggers: vec![Trigger::default(), payments], seen: Seen::default() }
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn sent(&mut self, number: u64, kind: Kind, acknowledged: bool) {
        let acknowledged = acknowledged.then_some(self.start);
        self.seen.sent.insert(order(number), Sent { kind, hash: number, acknowledged });
    }

    fn delivered(&mut self, trigger: usize, number: u64, ms: u64) -> &mut Delivery {
        let id = order(number);
        let received = self.at(ms);
        let kind = self.seen.sent.get(&id).map(|sent| sent.kind);
        let accepted = Some(received);
        let delivery = Delivery { trigger, sink: false, id, kind, hash: number, received, accepted };
        self.seen.deliveries.push(delivery);
        self.seen.deliveries.last_mut().unwrap()
    }

    fn crash(&mut self, ms: u64) {
        self.seen.crashes.push(self.at(ms));
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
    story.delivered(0, 1, 1);
    story.delivered(0, 2, 1);
    story.delivered(1, 2, 2);
    assert_eq!(story.violations(), []);
}

#[test]
fn an_acknowledged_event_that_one_trigger_never_got_is_lost() {
    let mut story = Story::new();
    story.sent(2, Kind::Payment, true);
    story.delivered(0, 2, 1);
    assert_eq!(story.violations(), [Violation::Lost { trigger: 1, ids: vec![order(2)] }]);
}

#[test]
fn a_delivery_that_was_refused_is_none() {
    let mut story = Story::new();
    story.sent(1, Kind::Order, true);
    story.delivered(0, 1, 1).accepted = None;
    assert_eq!(story.violations(), [Violation::Lost { trigger: 0, ids: vec![order(1)] }]);
}

#[test]
fn what_a_dead_letter_sink_took_is_not_lost() {
    let mut story = Story::new();
    story.sent(1, Kind::Order, true);
    story.delivered(0, 1, 1).sink = true;
    assert_eq!(story.violations(), []);
}

#[test]
fn an_event_without_an_answer_may_be_there_or_not() {
    let mut story = Story::new();
    story.sent(1, Kind::Order, false);
    story.sent(2, Kind::Order, false);
    story.delivered(0, 2, 1);
    assert_eq!(story.violations(), []);
}

#[test]
fn the_reply_to_an_acknowledged_event_must_come() {
    let mut story = Story::new();
    story.triggers[1].replies = true;
    story.sent(2, Kind::Payment, true);
    story.delivered(0, 2, 1);
    story.delivered(1, 2, 1);
    let reply = EventId { number: 2, reply: true };
    assert_eq!(story.violations(), [Violation::Lost { trigger: 0, ids: vec![reply] }]);
}

#[test]
fn other_bytes_another_type_or_an_unknown_id_are_inventions() {
    let mut story = Story::new();
    story.sent(1, Kind::Order, true);
    story.delivered(0, 1, 1);
    story.delivered(0, 1, 1).hash = 9;
    story.crash(1);
    story.delivered(0, 1, 1).kind = Some(Kind::Payment);
    story.delivered(1, 1, 1);
    story.delivered(0, 7, 1);
    let invented = |violation: &Violation| matches!(violation, Violation::Invented { .. });
    assert_eq!(story.violations().iter().filter(|violation| invented(violation)).count(), 4);
}

#[test]
fn a_repetition_after_a_crash_is_counted_and_no_violation() {
    let mut story = Story::new();
    story.sent(1, Kind::Order, true);
    story.delivered(0, 1, 100);
    story.crash(200);
    story.delivered(0, 1, 300);
    let judgement = judge(&story.triggers, &story.seen);
    assert_eq!((judgement.violations.len(), judgement.duplicates), (0, 1));
}

#[test]
fn a_repetition_without_a_crash_between_is_a_violation() {
    let mut story = Story::new();
    story.sent(1, Kind::Order, true);
    story.crash(100);
    story.delivered(0, 1, 1000);
    story.delivered(0, 1, 1100);
    story.crash(1200);
    assert!(matches!(story.violations()[..], [Violation::Repeated { crash_after: None, .. }]));
}

#[test]
fn a_repetition_of_what_was_accepted_long_before_the_crash_is_a_violation() {
    let mut story = Story::new();
    story.sent(1, Kind::Order, true);
    story.delivered(0, 1, 0);
    let late = REPEATED_WITHIN.as_millis() as u64 + 1;
    story.crash(late);
    story.delivered(0, 1, late + 1);
    assert!(matches!(story.violations()[..], [Violation::Repeated { crash_after: Some(_), .. }]));
}

#[test]
fn an_answer_that_comes_after_the_crash_and_the_repetition_is_the_first_all_the_same() {
    let mut story = Story::new();
    story.sent(1, Kind::Order, true);
    story.crash(200);
    story.delivered(0, 1, 300);
    let late = story.at(400);
    story.delivered(0, 1, 100).accepted = Some(late);
    assert_eq!(story.violations(), []);
}
