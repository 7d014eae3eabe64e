//! How a filter is written in a snapshot: its nodes in postfix order, children
//! before their parent.
//!
//! A tree encoded as a tree would let the input choose how deep the decoder
//! recurses; a list is read by a loop with a stack of its own. It also pins the
//! format: the syntax tree's Rust shape may change without changing the file.

use eagre_filter::{Filter, limits::FILTER_NODES_MAX};

use super::record::{FieldValue, Record};
use super::schema::record;
use super::wire::{Field, put_record};
use super::{BodyError, BodyFlaw};
use crate::limits::FILTER_DEPTH_MAX;

#[derive(Default)]
pub(super) struct FilterRecord {
    nodes: Vec<Node>,
}

record!(FilterRecord, { 1 => nodes });

/// One node. Of the fields behind `kind`, a kind uses at most one; what it does
/// not use is passed over.
#[derive(Default, PartialEq)]
pub(super) struct Node {
    kind: u64,
    pairs: Vec<(String, String)>,
    /// How many nodes `all` and `any` take off the stack.
    children: u32,
    expression: String,
}

record!(Node, at most FILTER_NODES_MAX, { 1 => kind, 2 => pairs, 3 => children, 4 => expression });

const EVERYTHING: u64 = 0;
const ATTRIBUTES: u64 = 1;
const EXACT: u64 = 2;
const PREFIX: u64 = 3;
const SUFFIX: u64 = 4;
const ALL: u64 = 5;
const ANY: u64 = 6;
const NOT: u64 = 7;
const CESQL: u64 = 8;

/// True if no path through the filter is longer than [`FILTER_DEPTH_MAX`].
pub(crate) fn depth_is_bounded(filter: &Filter) -> bool {
    count(filter, 1).is_some()
}

/// True if [`super::decode`] reads what [`super::encode`] makes of it.
pub(super) fn is_bounded(filter: &Filter) -> bool {
    count(filter, 1).is_some_and(|nodes| nodes <= FILTER_NODES_MAX)
}

/// How many nodes it has; `None` if it is nested too deep.
fn count(filter: &Filter, depth: usize) -> Option<usize> {
    if depth > FILTER_DEPTH_MAX {
        return None;
    }
    let children = match filter {
        Filter::All(list) | Filter::Any(list) => list,
        Filter::Not(child) => std::slice::from_ref(&**child),
        _ => &[],
    };
    children.iter().try_fold(1, |sum, child| Some(sum + count(child, depth + 1)?))
}

impl FieldValue for Filter {
    fn put(&self, number: u32, out: &mut Vec<u8>) {
        put_record(out, number, |out| put_nodes(self, out));
    }

    fn set(&mut self, field: Field<'_>) -> Result<(), BodyError> {
        let FilterRecord { nodes } = FilterRecord::read(field.record()?)?;
        *self = build(nodes).map_err(|flaw| field.flaw(flaw))?;
        Ok(())
    }
}

/// Appends the nodes of `filter` in postfix order. Recursion is bounded: the
/// filter [is](is_bounded).
fn put_nodes(filter: &Filter, out: &mut Vec<u8>) {
    let leaf = Node::default;
    let children = |list: &[Filter], out: &mut Vec<u8>| {
        list.iter().for_each(|child| put_nodes(child, out));
        list.len() as u32
    };
    let node = match filter {
        Filter::Everything => Node { kind: EVERYTHING, ..leaf() },
        Filter::Attributes(pairs) => Node { kind: ATTRIBUTES, pairs: pairs.clone(), ..leaf() },
        Filter::Exact(pairs) => Node { kind: EXACT, pairs: pairs.clone(), ..leaf() },
        Filter::Prefix(pairs) => Node { kind: PREFIX, pairs: pairs.clone(), ..leaf() },
        Filter::Suffix(pairs) => Node { kind: SUFFIX, pairs: pairs.clone(), ..leaf() },
        Filter::All(list) => Node { kind: ALL, children: children(list, out), ..leaf() },
        Filter::Any(list) => Node { kind: ANY, children: children(list, out), ..leaf() },
        Filter::Not(child) => {
            put_nodes(child, out);
            Node { kind: NOT, ..leaf() }
        }
        Filter::Cesql(text) => Node { kind: CESQL, expression: text.clone(), ..leaf() },
    };
    node.put(1, out);
}

/// The tree of a postfix list, if the list is exactly one tree.
fn build(nodes: Vec<Node>) -> Result<Filter, BodyFlaw> {
    let mut stack: Vec<(Filter, usize)> = Vec::new();
    for node in nodes {
        let takes = match node.kind {
            ALL | ANY => node.children as usize,
            NOT => 1,
            _ => 0,
        };
        let first = stack.len().checked_sub(takes).ok_or(BodyFlaw::Tree)?;
        let depth = 1 + stack[first..].iter().map(|(_, depth)| *depth).max().unwrap_or(0);
        if depth > FILTER_DEPTH_MAX {
            return Err(BodyFlaw::Tree);
        }
        let mut children: Vec<_> = stack.drain(first..).map(|(child, _)| child).collect();
        let filter = match node.kind {
            EVERYTHING => Filter::Everything,
            ATTRIBUTES => Filter::Attributes(node.pairs),
            EXACT => Filter::Exact(node.pairs),
            PREFIX => Filter::Prefix(node.pairs),
            SUFFIX => Filter::Suffix(node.pairs),
            ALL => Filter::All(children),
            ANY => Filter::Any(children),
            NOT => Filter::Not(Box::new(children.remove(0))),
            CESQL => Filter::Cesql(node.expression),
            unknown => return Err(BodyFlaw::Choice(unknown)),
        };
        stack.push((filter, depth));
    }
    match (stack.pop(), stack.is_empty()) {
        (Some((filter, _)), true) => Ok(filter),
        _ => Err(BodyFlaw::Tree),
    }
}
