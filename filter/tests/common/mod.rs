//! Events for tests: a list of attributes.

#![allow(dead_code, reason = "each test uses a part of it")]

use eagre_filter::{Attributes, Filter, Value};
use std::cell::RefCell;

#[derive(Clone, Debug, PartialEq)]
pub enum Owned {
    Text(String),
    Integer(i32),
    Boolean(bool),
}

impl From<&str> for Owned {
    fn from(text: &str) -> Self {
        Owned::Text(text.into())
    }
}

impl From<i32> for Owned {
    fn from(number: i32) -> Self {
        Owned::Integer(number)
    }
}

impl From<bool> for Owned {
    fn from(truth: bool) -> Self {
        Owned::Boolean(truth)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Event {
    attributes: Vec<(String, Owned)>,
    asked: RefCell<Vec<String>>,
}

impl Event {
    pub fn with(mut self, name: &str, value: impl Into<Owned>) -> Event {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// How many attributes it has.
    pub fn len(&self) -> usize {
        self.attributes.len()
    }

    /// The names asked for so far, in that order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }
}

impl Attributes for Event {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        self.asked.borrow_mut().push(name.into());
        self.attributes.iter().find(|(other, _)| other == name).map(|(_, value)| match value {
            Owned::Text(text) => Value::String(text),
            Owned::Integer(number) => Value::Integer(*number),
            Owned::Boolean(truth) => Value::Boolean(*truth),
        })
    }
}

pub fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect()
}

pub fn exact(name: &str, text: &str) -> Filter {
    Filter::Exact(pairs(&[(name, text)]))
}

pub fn prefix(name: &str, text: &str) -> Filter {
    Filter::Prefix(pairs(&[(name, text)]))
}

pub fn suffix(name: &str, text: &str) -> Filter {
    Filter::Suffix(pairs(&[(name, text)]))
}

pub fn cesql(text: &str) -> Filter {
    Filter::Cesql(text.into())
}

pub fn not(inner: Filter) -> Filter {
    Filter::Not(Box::new(inner))
}
