//! Objects to a snapshot.
//!
//! Promise: a pure function of the objects, what is known of those they refer to,
//! and what was in force. The snapshot lists brokers and triggers by namespace and
//! name, whatever order they came in. An object with an error is not in it, or, if it
//! was in force, as it was when it had none; that never touches another object.
//! Whether one error makes all of it useless, as with files, is the caller's choice.
//!
//! Delivery precedence is that of contract 3.5 as design section 5 decides it:
//! a trigger's delivery object replaces the broker's as a whole, but the dead
//! letter sink falls back to the broker's by itself.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use eagre_snapshot::{self as snapshot, Backoff, Excess, Format, Id, Member, Snapshot};

use crate::config::Configs;
use crate::features::Features;
use crate::index::Index;
use crate::manifest::{self, Broken, Diagnostic, Metadata, Place};
use crate::outcome::{BrokerOutcome, Failure, Standing, Target, TriggerOutcome};
use crate::referents::Referents;
use crate::resolve::{self, Resolver, Surroundings};
use crate::{reason, stamp};

/// What the objects are judged by.
#[derive(Clone, Copy, Debug)]
pub struct World<'w> {
    /// Knows addresses.
    pub resolver: &'w Resolver,
    /// The objects beside, in a cluster.
    pub referents: Option<&'w Referents>,
    /// What is in force.
    pub former: &'w Snapshot,
}

impl World<'_> {
    /// Whether Eagre serves a broker.
    pub fn is_ours(&self, broker: &Metadata) -> bool {
        match self.referents {
            Some(referents) => referents.defaults.is_ours(broker),
            None => broker.is_ours(),
        }
    }
}

/// What compiling yields.
#[derive(Debug)]
pub struct Compiled<'i> {
    /// The configuration of the data plane, of all that has no error.
    pub snapshot: Snapshot,
    /// Every broker of ours.
    pub brokers: Vec<BrokerOutcome<'i>>,
    /// Every trigger, but those of brokers that are not ours.
    pub triggers: Vec<TriggerOutcome<'i>>,
    /// Errors, and what is left out and why.
    pub remarks: Vec<Diagnostic>,
}

/// Compiles all objects.
pub fn compile<'i>(index: &'i Index, world: World<'i>) -> Compiled<'i> {
    let mut compiler = Compiler {
        index,
        world,
        around: Surroundings { index, referents: world.referents },
        features: world.referents.map(|referents| referents.features).unwrap_or_default(),
        compiled: Compiled {
            snapshot: Snapshot::default(),
            brokers: Vec::new(),
            triggers: Vec::new(),
            remarks: Vec::new(),
        },
        places: HashMap::new(),
    };
    compiler.brokers();
    compiler.triggers();
    compiler.keep_former();
    compiler.cut();
    compiler.compiled
}

struct Compiler<'i> {
    index: &'i Index,
    world: World<'i>,
    around: Surroundings<'i>,
    features: Features,
    compiled: Compiled<'i>,
    /// Of each broker in `compiled`.
    places: HashMap<Id, usize>,
}

impl<'i> Compiler<'i> {
    fn brokers(&mut self) {
        let world = self.world;
        let mut configs = Configs::new(self.around);
        for broker in self.index.brokers().filter(|broker| world.is_ours(&broker.metadata)) {
            let metadata = &broker.metadata;
            let id = id("Broker", metadata);
            let sink = broker.delivery.as_ref().and_then(|delivery| delivery.dead_letter_sink.as_ref());
            let sink = sink.map(|sink| self.resolve(sink, metadata, reason::SINK_UNRESOLVED));
            self.compiled.remarks.extend(errors(&sink));
            let (settings, allowed) = (configs.settings(broker), self.allowed(&metadata.place));
            let standing = match (&settings, &allowed) {
                (Ok(settings), Ok(())) => {
                    let (namespace, name) = (metadata.namespace.clone(), metadata.name.clone());
                    let (settings, annotations) = (*settings, metadata.annotations.clone());
                    let stamp = stamp::broker(metadata, &settings);
                    let broker = snapshot::Broker { id, namespace, name, settings, annotations };
                    self.compiled.snapshot.brokers.push(broker);
                    Standing::Current(stamp)
                }
                _ => Standing::Out,
            };
            self.add_broker(BrokerOutcome { metadata, id, allowed, settings, sink, standing });
        }
        self.compiled.remarks.extend(configs.into_remarks());
        for broken in self.index.broken_brokers().filter(|broken| world.is_ours(&broken.metadata)) {
            let (metadata, settings) = (&broken.metadata, Err(unreadable(broken)));
            let (id, allowed) = (id("Broker", metadata), self.allowed(&metadata.place));
            let standing = Standing::Out;
            self.add_broker(BrokerOutcome { metadata, id, allowed, settings, sink: None, standing });
        }
    }

    fn add_broker(&mut self, outcome: BrokerOutcome<'i>) {
        self.places.insert(outcome.id, self.compiled.brokers.len());
        self.compiled.brokers.push(outcome);
    }

    fn triggers(&mut self) {
        let world = self.world;
        let mut foreign: HashMap<Id, usize> = HashMap::new();
        for trigger in self.index.triggers() {
            let (namespace, name) = trigger.broker_key();
            let broker = self.index.broker(namespace, name);
            if let Some(broker) = broker.filter(|broker| !world.is_ours(&broker.metadata)) {
                *foreign.entry(id("Broker", &broker.metadata)).or_default() += 1;
                continue;
            }
            let link = self.link(&trigger.metadata, &trigger.broker);
            if let Err(failure) = &link {
                self.compiled.remarks.push(Diagnostic::clone(&failure.remark));
            }
            let (outcome, compiled) = self.trigger(trigger, broker, link);
            self.compiled.remarks.extend(errors(&outcome.subscriber));
            let own_sink =
                trigger.delivery.as_ref().is_some_and(|delivery| delivery.dead_letter_sink.is_some());
            self.compiled.remarks.extend(errors(&outcome.sink).filter(|_| own_sink));
            self.compiled.snapshot.triggers.extend(compiled);
            self.compiled.triggers.push(outcome);
        }
        for broken in self.index.broken_triggers() {
            let metadata = &broken.metadata;
            let link = match &broken.broker {
                None => continue,
                Some(name) => {
                    let (namespace, key) = name.key(&metadata.namespace);
                    let broker = self.index.broker(namespace, key);
                    if broker.is_some_and(|broker| !world.is_ours(&broker.metadata)) {
                        continue;
                    }
                    self.link(metadata, name)
                }
            };
            self.compiled.triggers.push(TriggerOutcome {
                metadata,
                id: id("Trigger", metadata),
                broker: link,
                spec: Err(unreadable(broken)),
                dependency: Ok(()),
                subscriber: None,
                sink: None,
                standing: Standing::Out,
            });
        }
        if self.world.referents.is_none() {
            for broker in self.index.brokers().filter(|broker| !broker.is_ours()) {
                let triggers = foreign.get(&id("Broker", &broker.metadata)).copied().unwrap_or(0);
                self.compiled.remarks.push(left_alone(broker, triggers));
            }
        }
    }

    fn trigger(
        &self,
        trigger: &'i manifest::Trigger,
        broker: Option<&'i manifest::Broker>,
        link: Result<&'i Metadata, Failure>,
    ) -> (TriggerOutcome<'i>, Option<snapshot::Trigger>) {
        let metadata = &trigger.metadata;
        let id = id("Trigger", metadata);
        let subscriber = self.resolve(&trigger.subscriber, metadata, reason::SUBSCRIBER_UNRESOLVED);
        let own_sink = trigger.delivery.as_ref().and_then(|delivery| delivery.dead_letter_sink.as_ref());
        let sink = match own_sink {
            Some(sink) => Some(self.resolve(sink, metadata, reason::SINK_UNRESOLVED)),
            // Resolved once for all triggers, and also for a broker that has none yet.
            None => link.as_ref().ok().and_then(|broker| self.broker(broker)?.sink.clone()),
        };
        let dependency = match (&metadata.dependency, self.world.referents) {
            (Some(text), Some(referents)) => {
                resolve::dependency(&text.value, &text.place, &metadata.namespace, referents)
            }
            _ => Ok(()),
        };
        let settings = trigger.delivery.as_ref().or(broker.and_then(|broker| broker.delivery.as_ref()));
        let mut standing = Standing::Out;
        let mut compiled = None;
        let served = link.as_ref().ok().filter(|broker| {
            self.broker(broker).is_some_and(|broker| matches!(broker.standing, Standing::Current(_)))
        });
        if let (Some(broker), Ok(subscriber), Ok(()), Ok(sink)) =
            (served, &subscriber, &dependency, sink.as_ref().map(Result::as_ref).transpose())
        {
            standing = Standing::Current(stamp::trigger(metadata, broker, subscriber, sink));
            compiled = Some(snapshot::Trigger {
                id,
                broker: self::id("Broker", broker),
                namespace: metadata.namespace.clone(),
                name: metadata.name.clone(),
                filter: trigger.filter.clone(),
                subscriber: subscriber.endpoint.clone(),
                delivery: delivery(settings),
                dead_letter: sink.map(|sink| sink.endpoint.clone()),
                annotations: metadata.annotations.clone(),
            });
        }
        let (subscriber, spec) = (Some(subscriber), Ok(()));
        let outcome =
            TriggerOutcome { metadata, id, broker: link, spec, dependency, subscriber, sink, standing };
        (outcome, compiled)
    }

    /// The broker of a trigger, if it may have it.
    fn link(&self, trigger: &Metadata, broker: &manifest::BrokerName) -> Result<&'i Metadata, Failure> {
        let (namespace, name) = broker.key(&trigger.namespace);
        if namespace != trigger.namespace && !self.features.cross_namespace {
            let message = format!("broker {namespace}/{name} is in another namespace");
            let hint = "name one of the trigger's own namespace; others need `cross-namespace-event-links` in config-features";
            let remark = Diagnostic::error(&broker.place, message, hint);
            return Err(Failure::certain(reason::BROKER_REFUSED, remark));
        }
        let found = self.index.broker(namespace, name).map(|broker| &broker.metadata);
        let broken = || self.index.broken_broker(namespace, name).map(|broken| &broken.metadata);
        found.or_else(broken).ok_or_else(|| Failure::certain(reason::NO_BROKER, orphan(trigger, broker)))
    }

    /// Leaves in force what was, of objects that are there and have an error now.
    fn keep_former(&mut self) {
        let former = self.world.former;
        if former.brokers.is_empty() {
            return;
        }
        let brokers: HashMap<Id, &snapshot::Broker> =
            former.brokers.iter().map(|broker| (broker.id, broker)).collect();
        let mut kept = false;
        for outcome in &mut self.compiled.brokers {
            let former = brokers.get(&outcome.id).filter(|_| outcome.allowed.is_ok());
            if let (Standing::Out, Some(&former)) = (outcome.standing, former) {
                outcome.standing = Standing::Former;
                self.compiled.snapshot.brokers.push(former.clone());
                kept = true;
            }
        }
        let served: HashSet<Id> = self.compiled.snapshot.brokers.iter().map(|broker| broker.id).collect();
        let triggers: HashMap<Id, &snapshot::Trigger> =
            former.triggers.iter().map(|trigger| (trigger.id, trigger)).collect();
        for outcome in self.compiled.triggers.iter_mut().filter(|outcome| outcome.standing == Standing::Out) {
            // What it may not have any more ends at once.
            let broker = outcome.broker.as_ref().ok().map(|broker| id("Broker", broker));
            let former = triggers.get(&outcome.id).filter(|former| Some(former.broker) == broker);
            if let Some(&former) = former.filter(|former| served.contains(&former.broker)) {
                outcome.standing = Standing::Former;
                self.compiled.snapshot.triggers.push(former.clone());
                kept = true;
            }
        }
        if kept {
            let Snapshot { brokers, triggers, .. } = &mut self.compiled.snapshot;
            brokers.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
            triggers.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        }
    }

    /// Takes out what is more than the data plane takes.
    fn cut(&mut self) {
        while let Some(excess) = self.compiled.snapshot.excess() {
            let Snapshot { brokers, triggers, .. } = &mut self.compiled.snapshot;
            let gone: HashSet<Id> = match excess.first {
                Member::Broker(first) => {
                    let gone: HashSet<Id> = brokers.drain(first..).map(|broker| broker.id).collect();
                    triggers.retain(|trigger| !gone.contains(&trigger.broker));
                    gone
                }
                Member::Trigger(first) => triggers.drain(first..).map(|trigger| trigger.id).collect(),
            };
            let mut first = None;
            for outcome in self.compiled.brokers.iter_mut().filter(|outcome| gone.contains(&outcome.id)) {
                let remark = beyond(excess, &outcome.metadata.place);
                first.get_or_insert_with(|| remark.clone());
                outcome.settings = Err(Failure::certain(reason::TOO_MANY, remark));
                outcome.standing = Standing::Out;
            }
            for outcome in self.compiled.triggers.iter_mut().filter(|outcome| gone.contains(&outcome.id)) {
                let remark = beyond(excess, &outcome.metadata.place);
                first.get_or_insert_with(|| remark.clone());
                outcome.spec = Err(Failure::certain(reason::TOO_MANY, remark));
                outcome.standing = Standing::Out;
            }
            self.compiled.remarks.extend(first);
        }
    }

    fn broker(&self, broker: &Metadata) -> Option<&BrokerOutcome<'i>> {
        self.places.get(&id("Broker", broker)).map(|place| &self.compiled.brokers[*place])
    }

    fn resolve(
        &self,
        destination: &manifest::Destination,
        owner: &Metadata,
        reason: &'static str,
    ) -> Result<Target, Failure> {
        self.world.resolver.resolve(destination, &owner.namespace, self.around, reason)
    }

    /// What is asked for in the whole cluster and not there yet closes the door.
    fn allowed(&self, place: &Place) -> Result<(), Failure> {
        let off = "this version of Eagre serves no broker until it is off again in config-features";
        if self.features.oidc {
            let message = "`authentication-oidc` is enabled, and tokens are not checked yet";
            let remark = Diagnostic::error(place, message, off);
            return Err(Failure::certain(reason::OIDC_UNSUPPORTED, remark));
        }
        if self.features.strict_tls {
            let message = "`transport-encryption` is strict, and there is no https address yet";
            let remark = Diagnostic::error(place, message, off);
            return Err(Failure::certain(reason::TLS_UNSUPPORTED, remark));
        }
        Ok(())
    }
}

fn errors(resolved: &Option<Result<Target, Failure>>) -> impl Iterator<Item = Diagnostic> + use<> {
    let error = resolved.as_ref().and_then(|resolved| resolved.as_ref().err());
    error.map(|failure| Diagnostic::clone(&failure.remark)).into_iter()
}

/// Settings as the data plane takes them. Left out means no retry (contract
/// 3.1); a back-off needs both policy and delay, else retries are immediate
/// (contract 3.2).
pub fn delivery(settings: Option<&manifest::Delivery>) -> snapshot::Delivery {
    let default = manifest::Delivery::default();
    let settings = settings.unwrap_or(&default);
    let (backoff, backoff_delay) = match (settings.backoff_policy, settings.backoff_delay) {
        (Some(policy), Some(delay)) => (policy, delay),
        _ => (Backoff::Exponential, Duration::ZERO),
    };
    snapshot::Delivery {
        retry_max: settings.retry.unwrap_or(0),
        backoff,
        backoff_delay_ms: milliseconds(backoff_delay),
        timeout_ms: settings.timeout.map(milliseconds),
        retry_after_max_ms: settings.retry_after_max.map(milliseconds),
        format: settings.format.unwrap_or(Format::Binary),
    }
}

/// Rounds up: what is not zero stays so. Fits, as durations are bounded.
fn milliseconds(duration: Duration) -> u64 {
    duration.as_nanos().div_ceil(1_000_000) as u64
}

pub(crate) fn id(kind: &str, metadata: &Metadata) -> Id {
    Id::of(kind, &metadata.namespace, &metadata.name, metadata.uid.as_ref().map(|uid| uid.value.as_str()))
}

/// The error of an object that cannot be read.
fn unreadable(broken: &Broken) -> Failure {
    let mut remark = broken.errors.first().expect("a broken object has an error").clone();
    if broken.errors.len() > 1 {
        remark.message = format!("{} (and {} more errors)", remark.message, broken.errors.len() - 1);
    }
    Failure::certain(reason::SPEC_INVALID, remark)
}

/// The remark about a trigger whose broker is not among the objects.
pub(crate) fn orphan(trigger: &Metadata, broker: &manifest::BrokerName) -> Diagnostic {
    let Metadata { namespace, name, .. } = trigger;
    let (of, called) = broker.key(namespace);
    let message = format!("trigger {namespace}/{name} is not active: there is no broker {of}/{called}");
    let hint = "add the broker, or correct the name; a trigger and its broker share a namespace";
    Diagnostic::warning(&broker.place, message, hint)
}

/// More than the data plane takes: refused before it is asked.
fn beyond(excess: Excess, place: &Place) -> Diagnostic {
    let hint =
        "this is the first beyond, in order of namespace and name; serve some of them with another Eagre";
    Diagnostic::error(place, excess.to_string(), hint)
}

fn left_alone(broker: &manifest::Broker, triggers: usize) -> Diagnostic {
    let Metadata { namespace, name, class, place, .. } = &broker.metadata;
    let (class, place) = class.as_ref().map_or(("", place), |class| (class.value.as_str(), &class.place));
    let with = match triggers {
        0 => String::new(),
        1 => " and its trigger".to_owned(),
        more => format!(" and its {more} triggers"),
    };
    let message = format!("broker {namespace}/{name}{with} left alone: its class is `{class}`");
    Diagnostic::info(place, message, format!("Eagre serves class `{}`", manifest::CLASS))
}
