//! How a filter is written in a snapshot: its nodes in postfix order, children
//! before their parent.
//!
//! A tree encoded as a tree would let the input choose how deep the decoder
//! recurses; a list is read by a loop with a stack of its own. It also pins the
//! format: the syntax tree's Rust shape may change without changing the file.

use std::borrow::Cow;

use eagre_filter::Filter;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::limits::FILTER_DEPTH_MAX;

type Pairs<'a> = Cow<'a, [(String, String)]>;

/// One node. The order of the variants is part of the format: append only.
#[derive(Serialize, Deserialize)]
enum Node<'a> {
    Everything,
    Attributes(Pairs<'a>),
    Exact(Pairs<'a>),
    Prefix(Pairs<'a>),
    Suffix(Pairs<'a>),
    /// Takes that many nodes off the stack.
    All(u32),
    Any(u32),
    Not,
    Cesql(Cow<'a, str>),
}

/// True if no path through the filter is longer than [`FILTER_DEPTH_MAX`].
pub(crate) fn depth_is_bounded(filter: &Filter) -> bool {
    flatten(filter, 1, &mut Vec::new()).is_some()
}

pub(crate) fn serialize<S: Serializer>(filter: &Filter, serializer: S) -> Result<S::Ok, S::Error> {
    let mut nodes = Vec::new();
    flatten(filter, 1, &mut nodes)
        .ok_or_else(|| ser::Error::custom(format_args!("filter nested deeper than {FILTER_DEPTH_MAX}")))?;
    nodes.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Filter, D::Error> {
    let nodes = Vec::<Node<'static>>::deserialize(deserializer)?;
    build(nodes).ok_or_else(|| de::Error::custom("filter nodes do not form one tree within the depth limit"))
}

/// Appends `filter` in postfix order; `None` if it is nested too deep.
fn flatten<'a>(filter: &'a Filter, depth: usize, nodes: &mut Vec<Node<'a>>) -> Option<()> {
    if depth > FILTER_DEPTH_MAX {
        return None;
    }
    let mut children = |list: &'a [Filter]| {
        list.iter().try_for_each(|child| flatten(child, depth + 1, nodes))?;
        u32::try_from(list.len()).ok()
    };
    let node = match filter {
        Filter::Everything => Node::Everything,
        Filter::Attributes(pairs) => Node::Attributes(Cow::Borrowed(pairs)),
        Filter::Exact(pairs) => Node::Exact(Cow::Borrowed(pairs)),
        Filter::Prefix(pairs) => Node::Prefix(Cow::Borrowed(pairs)),
        Filter::Suffix(pairs) => Node::Suffix(Cow::Borrowed(pairs)),
        Filter::All(list) => Node::All(children(list)?),
        Filter::Any(list) => Node::Any(children(list)?),
        Filter::Not(child) => {
            children(std::slice::from_ref(child))?;
            Node::Not
        }
        Filter::Cesql(expression) => Node::Cesql(Cow::Borrowed(expression)),
    };
    nodes.push(node);
    Some(())
}

/// The tree of a postfix list; `None` if the list is not exactly one tree.
fn build(nodes: Vec<Node<'_>>) -> Option<Filter> {
    let mut stack: Vec<(Filter, usize)> = Vec::new();
    for node in nodes {
        let mut depth = 1;
        let mut children = |count: u32| {
            let first = stack.len().checked_sub(count as usize)?;
            depth += stack[first..].iter().map(|(_, depth)| *depth).max().unwrap_or(0);
            Some(stack.drain(first..).map(|(child, _)| child).collect::<Vec<_>>())
        };
        let filter = match node {
            Node::Everything => Filter::Everything,
            Node::Attributes(pairs) => Filter::Attributes(pairs.into_owned()),
            Node::Exact(pairs) => Filter::Exact(pairs.into_owned()),
            Node::Prefix(pairs) => Filter::Prefix(pairs.into_owned()),
            Node::Suffix(pairs) => Filter::Suffix(pairs.into_owned()),
            Node::All(count) => Filter::All(children(count)?),
            Node::Any(count) => Filter::Any(children(count)?),
            Node::Not => Filter::Not(Box::new(children(1)?.pop()?)),
            Node::Cesql(expression) => Filter::Cesql(expression.into_owned()),
        };
        if depth > FILTER_DEPTH_MAX {
            return None;
        }
        stack.push((filter, depth));
    }
    let (filter, _) = stack.pop()?;
    stack.is_empty().then_some(filter)
}
