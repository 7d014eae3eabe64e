//! The conditions of all triggers, each distinct one kept once.
//!
//! Equal conditions are the same node, however many triggers have them, so
//! that one event evaluates them once.

use super::memory::Memory;
use super::names::Names;
use crate::cesql::{CorrelationKeys, Expr, Program};
use crate::condition::{Condition, Relation};
use crate::limits::REMEMBERED_CONDITIONS_MAX;
use crate::value::Attributes;
use crate::view::View;
use std::collections::HashMap;
use std::sync::Arc;

/// The number of a node.
pub(crate) type NodeId = u32;

/// A condition with attributes and sub-conditions by number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Node {
    Text(Relation, u32, Box<str>),
    Present(u32),
    All(Box<[NodeId]>),
    Any(Box<[NodeId]>),
    Not(NodeId),
    Cesql { expr: Arc<Expr>, cast: bool },
}

#[derive(Clone, Debug)]
struct Place {
    node: Arc<Node>,
    /// Triggers and nodes that refer to this node.
    holders: u32,
    /// Where the outcome is remembered, once there are several holders.
    memory: Option<u16>,
    /// Of a CESQL node: the program, and the attributes it holds.
    program: Option<Arc<(Program, Vec<u32>)>>,
}

/// All nodes of a matcher.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nodes {
    places: Vec<Option<Place>>,
    numbers: HashMap<Arc<Node>, NodeId, foldhash::fast::RandomState>,
    free: Vec<NodeId>,
    memory_used: u16,
    memory_free: Vec<u16>,
}

impl Nodes {
    /// Whether no trigger has anything to judge.
    pub(crate) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The node of a condition, held once more.
    pub(crate) fn hold(&mut self, condition: &Condition, names: &mut Names) -> NodeId {
        let mut each = |list: &[Condition]| list.iter().map(|inner| self.hold(inner, names)).collect();
        let node = match condition {
            Condition::All(list) => Node::All(each(list)),
            Condition::Any(list) => Node::Any(each(list)),
            Condition::Not(inner) => Node::Not(self.hold(inner, names)),
            Condition::Text(relation, name, text) => {
                Node::Text(*relation, names.hold(name), text.as_str().into())
            }
            Condition::Present(name) => Node::Present(names.hold(name)),
            Condition::Cesql { expr, cast } => Node::Cesql { expr: Arc::new(expr.clone()), cast: *cast },
        };
        if let Some(&id) = self.numbers.get(&node) {
            // The node holds its parts already.
            self.release_parts(&node, None, names);
            self.share(id);
            return id;
        }
        self.add(node, names)
    }

    fn add(&mut self, node: Node, names: &mut Names) -> NodeId {
        let program = match &node {
            Node::Cesql { expr, .. } => {
                let mut held = Vec::new();
                let program = Program::compile(expr, &mut |name| {
                    held.push(names.hold(name));
                    held[held.len() - 1]
                });
                Some(Arc::new((program, held)))
            }
            _ => None,
        };
        let node = Arc::new(node);
        let place = Place { node: Arc::clone(&node), holders: 1, memory: None, program };
        let id = match self.free.pop() {
            Some(id) => {
                self.places[id as usize] = Some(place);
                id
            }
            None => {
                self.places.push(Some(place));
                self.places.len() as NodeId - 1
            }
        };
        self.numbers.insert(node, id);
        id
    }

    fn share(&mut self, id: NodeId) {
        let place = place_mut(&mut self.places, id);
        place.holders += 1;
        // Comparing texts is as cheap as remembering that they were compared.
        let is_cheap = matches!(*place.node, Node::Text(..) | Node::Present(_));
        if place.memory.is_some() || is_cheap {
            return;
        }
        place.memory = self.memory_free.pop().or_else(|| {
            let next = self.memory_used;
            (usize::from(next) < REMEMBERED_CONDITIONS_MAX).then(|| {
                self.memory_used += 1;
                next
            })
        });
    }

    /// Gives up one hold on a node.
    pub(crate) fn release(&mut self, id: NodeId, names: &mut Names) {
        let place = place_mut(&mut self.places, id);
        place.holders -= 1;
        if place.holders > 0 {
            return;
        }
        let place = self.places[id as usize].take().expect("the node was there a moment ago");
        self.numbers.remove(&place.node);
        self.memory_free.extend(place.memory);
        self.free.push(id);
        self.release_parts(&place.node, place.program.as_deref(), names);
    }

    fn release_parts(&mut self, node: &Node, program: Option<&(Program, Vec<u32>)>, names: &mut Names) {
        match node {
            Node::Text(_, name, _) | Node::Present(name) => names.release(*name),
            Node::All(list) | Node::Any(list) => list.iter().for_each(|id| self.release(*id, names)),
            Node::Not(id) => self.release(*id, names),
            Node::Cesql { .. } => {
                program.iter().flat_map(|(_, held)| held).for_each(|name| names.release(*name));
            }
        }
    }

    /// Whether the condition holds for the event.
    pub(crate) fn holds<'e, A: Attributes>(&'e self, id: NodeId, judge: &mut Judge<'e, '_, A>) -> bool {
        let place =
            self.places[id as usize].as_ref().expect("a node is kept as long as someone refers to it");
        if let Some(outcome) = place.memory.and_then(|at| judge.memory.recall(at)) {
            return outcome;
        }
        let outcome = match &*place.node {
            Node::Text(relation, name, want) => {
                judge.view.text(*name).is_some_and(|have| relation.holds(have, want))
            }
            Node::Present(name) => judge.view.text(*name).is_some_and(|have| !have.is_empty()),
            Node::All(list) => list.iter().all(|id| self.holds(*id, judge)),
            Node::Any(list) => list.iter().any(|id| self.holds(*id, judge)),
            Node::Not(id) => !self.holds(*id, judge),
            Node::Cesql { cast, .. } => place
                .program
                .as_deref()
                .is_some_and(|(program, _)| program.passes(judge.view, judge.keys, *cast)),
        };
        if let Some(at) = place.memory {
            judge.memory.remember(at, outcome);
        }
        outcome
    }
}

fn place_mut(places: &mut [Option<Place>], id: NodeId) -> &mut Place {
    places[id as usize].as_mut().expect("a node is kept as long as someone refers to it")
}

/// One event being judged.
pub(crate) struct Judge<'e, 'v, A> {
    pub(crate) view: &'v mut View<'e, A>,
    pub(crate) memory: Memory,
    pub(crate) keys: Option<&'e dyn CorrelationKeys>,
}
