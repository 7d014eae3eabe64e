//! A subscriber, or a dead letter sink: takes requests, looks at every byte of
//! them, and answers as the seed wants.

use std::{io, net::SocketAddr, rc::Rc};

use eagre_snapshot::Id;

use super::{
    answers::{Manner, render},
    content::Content,
    http::{Message, read_request},
    ledger::Answered,
    model::{SINK, host, type_of},
    scene::Scene,
    seen::Seen,
};
use crate::{
    random::Random,
    world::{Nanos, SECOND, Wire},
};

/// "dispatch error: Too many open files", as a dead letter carries it.
const SHORTAGE: &str = "ZGlzcGF0Y2ggZXJyb3I6IFRvbyBtYW55IG9wZW4gZmlsZXM";

fn address(subscriber: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 1, subscriber as u8], 80))
}

/// Listens for as long as the history lasts, but for times in which nobody does.
pub(super) async fn run(scene: Rc<Scene>, subscriber: usize) {
    let mut random = scene.random();
    scene.machine.net.name(&host(subscriber), address(subscriber));
    loop {
        let port = scene.machine.net.listen(address(subscriber), false);
        let up = SECOND + random.below(8 * SECOND);
        let until = scene.machine.now() + up;
        loop {
            let left = until.saturating_sub(scene.machine.now()).max(1);
            let wait = if scene.calm.get() { Nanos::MAX / 2 } else { left };
            let Some(wire) = scene.within(wait, port.next()).await else { break };
            let connection = Connection {
                scene: Rc::clone(&scene),
                random: random.fork(),
                subscriber,
                run: wire.run,
                noise_until: None,
            };
            scene.machine.spawn(connection.serve(wire));
        }
        if !scene.calm.get() && random.chance(scene.plan.rates.down) {
            scene.saw(Seen::Refused);
            scene.machine.net.close(address(subscriber));
            let down = random.below(8 * SECOND);
            let until = scene.machine.now() + down;
            while scene.machine.now() < until && !scene.calm.get() {
                scene.machine.sleep(SECOND / 10).await;
            }
        } else {
            scene.machine.net.close(address(subscriber));
        }
    }
}

struct Connection {
    scene: Rc<Scene>,
    random: Random,
    subscriber: usize,
    /// The run of the process that asks.
    run: u32,
    /// Something unasked was said, of which the other end cannot know before.
    noise_until: Option<Nanos>,
}

impl Connection {
    async fn serve(mut self, mut wire: Wire) {
        let mut input = Vec::new();
        // A connection that fails is the other end's to notice.
        while let Ok(Some(request)) = read_request(&mut wire, &mut input).await {
            let Some((content, trigger)) = self.understand(&request) else { return };
            self.was_heard();
            match self.answer(wire, content, trigger).await {
                Ok(Some(kept)) => wire = kept,
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Which event it is, and of which trigger; what is wrong with it is a broken
    /// promise.
    fn understand(&self, request: &Message) -> Option<(Content, Id)> {
        let known = self.look(request);
        if let Err(wrong) = &known {
            self.scene.violated(format!("subscriber {} gets {wrong}: {request:?}", self.subscriber));
        }
        known.ok()
    }

    fn look(&self, request: &Message) -> Result<(Content, Id), String> {
        let parts: Vec<&str> = request.target.split('/').collect();
        let ["", _, trigger] = parts[..] else { return Err("another target than it has".into()) };
        let trigger = Id(u64::from_str_radix(trigger, 16).map_err(|_| "no trigger's target")?);
        let is_json =
            request.field("content-type").is_some_and(|t| t.starts_with("application/cloudevents+json"));
        let json = if is_json { serde_json::from_slice(&request.body).ok() } else { None };
        let json: Option<serde_json::Value> = json;
        let attribute = |name: &str| match &json {
            Some(json) => json[name].as_str().map(str::to_owned),
            None => request.field(&format!("ce-{name}")).map(str::to_owned),
        };
        let id = attribute("id").ok_or("an event without an id")?;
        let number = id.strip_prefix('e').and_then(|number| number.parse().ok()).ok_or("an id of nobody")?;
        let ledger = self.scene.ledger.borrow();
        let sent = ledger.sent.get(&number).ok_or("an event that nobody sent")?;
        let content = sent.content.clone();
        if attribute("type").as_deref() != Some(&type_of(content.kind))
            || attribute("source").as_deref() != Some("/sim")
        {
            return Err("other attributes than were sent".into());
        }
        let payload: serde_json::Value = serde_json::from_str(&content.payload()).expect("it is JSON");
        let is_right = match &json {
            Some(json) => json["data"] == payload,
            None => request.body == content.payload().as_bytes(),
        };
        if !is_right {
            return Err("other bytes than were sent".into());
        }
        if request.field("ce-knativeerrordata").is_some_and(|data| data.starts_with(SHORTAGE)) {
            return Err("a dead letter because the process was short of descriptors".into());
        }
        Ok((content, trigger))
    }

    /// A connection on which something unasked has arrived is not used again.
    fn was_heard(&self) {
        let latency = self.scene.plan.habits.latency_max;
        let sent = self.scene.machine.now().saturating_sub(latency);
        if self.noise_until.is_some_and(|until| until < sent) {
            let subscriber = self.subscriber;
            self.scene.violated(format!("a request to {subscriber} comes where an answer came unasked"));
        }
    }

    fn manner(&mut self) -> Manner {
        if self.scene.calm.get() || (self.subscriber == SINK && self.random.below(3) > 0) {
            return Manner::Status(200);
        }
        Manner::draw(&self.scene.plan.rates, &mut self.random)
    }

    /// Answers, and keeps the connection if it is to be kept.
    async fn answer(&mut self, mut wire: Wire, content: Content, trigger: Id) -> io::Result<Option<Wire>> {
        let number = content.number;
        if self.noise_until.take().is_some() {
            // What was said unasked has crossed the request, and is its answer.
            self.scene.machine.line(format_args!("e{number} of {trigger} has its answer before it arrives"));
            self.note(number, trigger, Manner::Close { announced: false }, None);
            return Ok(Some(wire));
        }
        let manner = self.manner();
        let subscriber = self.subscriber;
        self.scene
            .machine
            .line(format_args!("subscriber {subscriber} has e{number} of {trigger}: {manner:?}"));
        match manner {
            Manner::Status(_) | Manner::Reply | Manner::Close { .. } => {}
            Manner::Twice(..) | Manner::IdleTimeout(_) => {}
            Manner::Hang => {
                self.note(number, trigger, manner, None);
                self.scene.saw(Seen::Hung);
                // Until the other end closes.
                let _ = self.scene.within(60 * SECOND, wire.receive(1)).await;
                return Ok(None);
            }
            Manner::ResetAfter(bytes) => {
                self.note(number, trigger, manner, None);
                self.scene.saw(Seen::Reset);
                let answer = render(200, "", "");
                // The whole of it would be an answer.
                let bytes = (bytes as usize).min(answer.len() - 1);
                wire.send_all(&answer[..bytes]).await?;
                wire.reset();
                return Ok(None);
            }
            Manner::Late(_, after) => {
                self.scene.saw(Seen::AnsweredLate);
                self.scene.machine.sleep(after).await;
            }
        }
        let reply = (manner == Manner::Reply && self.subscriber != SINK)
            .then(|| self.reply(&content, trigger))
            .flatten();
        let announced =
            if matches!(manner, Manner::Close { announced: true }) { "connection: close\r\n" } else { "" };
        let status = manner.status();
        let retry_after =
            if matches!(status, 429 | 503) && self.random.coin() { "retry-after: 2\r\n" } else { "" };
        let answer = match &reply {
            Some(reply) => render(200, &reply.fields(), &reply.payload()),
            None => render(status, &format!("{announced}{retry_after}"), ""),
        };
        self.note(number, trigger, manner, reply.map(|reply| reply.number));
        wire.send_all(&answer).await?;
        match manner {
            Manner::Twice(_, after) => {
                self.scene.saw(Seen::AnsweredTwice);
                self.scene.machine.sleep(after).await;
                self.noise_until = Some(self.scene.machine.now() + self.scene.plan.habits.latency_max);
                wire.send_all(&render(200, "", "")).await?;
            }
            Manner::IdleTimeout(after) => {
                self.scene.machine.sleep(after).await;
                self.scene.saw(Seen::IdleTimeout);
                wire.send_all(&render(408, "connection: close\r\n", "")).await?;
                wire.finish();
                // A request that crosses it is not read.
                self.scene.machine.sleep(SECOND).await;
                return Ok(None);
            }
            Manner::Close { .. } => return Ok(None),
            _ => {}
        }
        Ok(Some(wire))
    }

    /// An event in answer to one that was none itself.
    fn reply(&mut self, content: &Content, trigger: Id) -> Option<Content> {
        let mut ledger = self.scene.ledger.borrow_mut();
        let sent = &ledger.sent[&content.number];
        if sent.origin.is_some() {
            return None;
        }
        let versions = self.scene.versions.borrow();
        let broker = versions.last()?.model.trigger(trigger)?.broker.clone();
        let reply = Content {
            number: ledger.number(),
            kind: self.random.below(3) as u8,
            size: self.random.below(300),
        };
        ledger.send(reply.clone(), &broker, self.scene.machine.now(), Some((content.number, trigger)));
        ledger.saw(Seen::Replied);
        Some(reply)
    }

    fn note(&self, event: u64, trigger: Id, manner: Manner, reply: Option<u64>) {
        let says_yes = !matches!(manner, Manner::Hang | Manner::ResetAfter(_)) && manner.status() < 300;
        let answered = Answered {
            at: self.scene.machine.now(),
            run: self.run,
            is_sink: self.subscriber == SINK,
            ok: says_yes,
            clean: says_yes && matches!(manner, Manner::Status(_)) && self.scene.plan.habits.resets == 0,
            reply,
        };
        let mut ledger = self.scene.ledger.borrow_mut();
        if says_yes {
            ledger.saw(if answered.is_sink { Seen::DeadLettered } else { Seen::Delivered });
        }
        ledger.answer(event, trigger, answered);
    }
}
