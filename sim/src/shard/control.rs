//! A control plane, and the people who edit what it publishes.

use std::rc::Rc;

use eagre_snapshot::{Fsync, Id};

use super::{
    model::{BrokerSpec, Model, TriggerSpec, Version, delivery},
    scene::Scene,
    seen::Seen,
};
use crate::random::Random;

pub(super) struct Control {
    scene: Rc<Scene>,
    random: Random,
    model: Model,
    /// What was deleted and may come back as it was.
    deleted: Vec<TriggerSpec>,
    ids: u64,
}

impl Control {
    /// With some brokers and triggers, which are published.
    pub(super) fn new(scene: &Rc<Scene>) -> Self {
        let mut control = Self {
            scene: Rc::clone(scene),
            random: scene.random(),
            model: Model::default(),
            deleted: Vec::new(),
            ids: 0,
        };
        for index in 0..scene.plan.brokers {
            let broker = control.broker(format!("b{index}"));
            control.model.brokers.push(broker);
        }
        for index in 0..scene.plan.triggers {
            let trigger = control.trigger(format!("t{index}"));
            control.model.triggers.push(trigger);
        }
        control.publish("the first one");
        control
    }

    /// Edits for as long as there is trouble.
    pub(super) async fn run(mut self) {
        while !self.scene.calm.get() {
            let pause = self.random.below(self.scene.plan.control_pause + 1);
            self.scene.machine.sleep(pause + crate::world::SECOND / 50).await;
            if !self.scene.calm.get() {
                self.edit().await;
            }
        }
        self.scene.edited.set(true);
    }

    fn id(&mut self) -> Id {
        self.ids += 1;
        Id(self.random.next() << 8 | self.ids)
    }

    fn broker(&mut self, name: String) -> BrokerSpec {
        let quota = self.random.coin().then(|| 4 * 1024 * (1 + self.random.below(16)));
        BrokerSpec { id: self.id(), name, fsync: self.fsync(), quota }
    }

    fn fsync(&mut self) -> Option<Fsync> {
        self.random.coin().then(|| self.random.pick(&self.scene.plan.modes))
    }

    fn trigger(&mut self, name: String) -> TriggerSpec {
        TriggerSpec {
            id: self.id(),
            name,
            broker: format!("b{}", self.random.below(self.scene.plan.brokers)),
            kind: self.random.coin().then(|| self.random.below(3) as u8),
            subscriber: self.random.below(self.scene.plan.subscribers as u64) as usize,
            sink: self.random.coin(),
            delivery: delivery(&mut self.random),
        }
    }

    fn publish(&mut self, what: &str) {
        // Counts of triggers that go are gone with them.
        let process = self.scene.process.borrow().clone();
        if let Some(process) = process {
            process.note(&self.scene);
        }
        let mut versions = self.scene.versions.borrow_mut();
        let generation = versions.len() as u64 + 1;
        let at = self.scene.machine.now();
        self.scene.machine.line(format_args!("generation {generation} is published: {what}"));
        versions.push(Version { at, generation, model: Rc::new(self.model.clone()) });
    }

    fn any_trigger(&mut self) -> Option<usize> {
        let triggers = self.model.triggers.len() as u64;
        (triggers > 0).then(|| self.random.below(triggers) as usize)
    }

    async fn edit(&mut self) {
        let rates = self.scene.plan.rates;
        if self.random.chance(rates.edit) {
            self.edit_trigger();
        }
        if self.random.chance(rates.move_trigger)
            && let Some(at) = self.any_trigger()
        {
            // Now and then a broker that is not there.
            let brokers = self.scene.plan.brokers + u64::from(self.random.below(4) == 0);
            self.model.triggers[at].broker = format!("b{}", self.random.below(brokers));
            self.scene.saw(Seen::TriggerMoved);
            self.publish("a trigger has another broker");
        }
        if self.random.chance(rates.delete)
            && let Some(at) = self.any_trigger()
        {
            self.deleted.push(self.model.triggers.remove(at));
            self.scene.saw(Seen::TriggerDeleted);
            self.publish("a trigger is gone");
        }
        if !self.deleted.is_empty() && self.random.below(4) == 0 {
            let back = self.deleted.remove(0);
            self.model.triggers.push(back);
            self.scene.saw(Seen::TriggerBack);
            self.publish("a trigger is back");
        }
        if self.random.chance(rates.recreate)
            && let Some(at) = self.any_trigger()
        {
            self.model.triggers[at].id = self.id();
            self.scene.saw(Seen::TriggerRecreated);
            self.publish("a trigger is another one of the same name");
        }
        if self.random.chance(rates.broker) {
            self.change_broker();
        }
        if self.random.chance(rates.refused) {
            let process = self.scene.process.borrow().clone();
            if let Some(process) = process {
                process.refuse(&self.scene);
            }
        }
        if self.random.chance(rates.vanish) {
            self.vanish().await;
        }
    }

    fn edit_trigger(&mut self) {
        let Some(at) = self.any_trigger() else { return };
        let delivery = delivery(&mut self.random);
        let subscriber = self.random.below(self.scene.plan.subscribers as u64) as usize;
        let kind = self.random.coin().then(|| self.random.below(3) as u8);
        let sink = self.random.coin();
        let choice = self.random.below(4);
        let trigger = &mut self.model.triggers[at];
        match choice {
            0 => trigger.delivery = delivery,
            1 => trigger.subscriber = subscriber,
            2 => trigger.kind = kind,
            _ => trigger.sink = sink,
        }
        self.scene.saw(Seen::TriggerEdited);
        self.publish("a trigger is edited");
    }

    fn change_broker(&mut self) {
        let name = format!("b{}", self.random.below(self.scene.plan.brokers));
        let at = self.model.brokers.iter().position(|broker| broker.name == name);
        match at {
            None => {
                let broker = self.broker(name);
                self.model.brokers.push(broker);
                self.publish("a broker is there");
            }
            Some(at) if self.random.coin() => {
                self.model.brokers[at].id = self.id();
                self.scene.saw(Seen::BrokerRecreated);
                self.publish("a broker is another one of the same name");
            }
            Some(at) => {
                self.model.brokers.remove(at);
                self.scene.saw(Seen::BrokerDeleted);
                self.publish("a broker is gone");
            }
        }
    }

    /// Everything is gone for a while.
    async fn vanish(&mut self) {
        let kept = std::mem::take(&mut self.model);
        self.publish("nothing");
        let grace = self.scene.plan.grace;
        let shortly = self.random.below(3) > 0;
        let gone = if shortly { self.random.below(grace * 2 / 3) } else { grace + self.random.below(grace) };
        if shortly {
            self.scene.saw(Seen::VanishedShortly);
        }
        self.scene.machine.sleep(gone).await;
        self.model = kept;
        self.publish("everything again");
    }
}
