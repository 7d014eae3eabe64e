//! What a value must be, as rules in CEL that an API server evaluates: the same that
//! upstream's webhook holds objects to where it is installed.
//!
//! A message says what to write; the API server puts the field's path before it. Every
//! rule that looks at a text or list has its bound in the schema beside it
//! ([`crate::limits`]), since an API server refuses rules that may take too long.
//!
//! Deliberately absent: filters inside of `all`, `any` and `not`, which a schema cannot
//! describe at any depth, and CESQL. The controller judges both and says so in the status.

use kube::core::Rule;

/// `P[nY][nM][nW][nD][T[nH][nM][nS]]`, and something after `P` and after `T`.
macro_rules! duration {
    () => {
        "self.matches('^P([0-9]+([.,][0-9]+)?Y)?([0-9]+([.,][0-9]+)?M)?([0-9]+([.,][0-9]+)?W)?\
         ([0-9]+([.,][0-9]+)?D)?(T([0-9]+([.,][0-9]+)?H)?([0-9]+([.,][0-9]+)?M)?([0-9]+([.,][0-9]+)?S)?)?$') \
         && self.matches('[0-9][YMWDHS]$')"
    };
}

macro_rules! kind {
    () => {
        "has(self.apiVersion) && self.apiVersion != '' && has(self.kind) && self.kind != ''"
    };
}

pub(crate) fn duration() -> Rule {
    Rule::new(duration!()).message("write an ISO 8601 duration such as PT0.2S, PT1M30S or P1D")
}

pub(crate) fn timeout() -> Rule {
    Rule::new(concat!(duration!(), " && self.matches('[1-9]')"))
        .message("write an ISO 8601 duration above zero such as PT30S, or leave it out for the default")
}

pub(crate) fn retry() -> Rule {
    Rule::new("self >= 0 && self <= 2147483647")
        .message("write the number of attempts after the first, 0 or more")
}

pub(crate) fn backoff_policy() -> Rule {
    Rule::new("self in ['linear', 'exponential']").message("write linear or exponential")
}

pub(crate) fn format() -> Rule {
    Rule::new("self in ['json', 'binary']")
        .message("write json or binary, or leave it out to send events as they came")
}

/// An object by kind and name.
pub(crate) fn reference() -> Rule {
    Rule::new(concat!(kind!(), " && has(self.name) && self.name != ''"))
        .message("give apiVersion, kind and name of the object")
}

/// A destination that says where at all.
pub(crate) fn destination() -> Rule {
    Rule::new("has(self.ref) || has(self.uri)")
        .message("give ref, an object that has an address, or uri, an absolute URL")
}

/// The two halves of a destination fit.
pub(crate) fn destination_uri() -> Rule {
    Rule::new("!has(self.uri) || has(self.ref) != self.uri.matches('^[A-Za-z][A-Za-z0-9+.-]*:')")
        .field_path(".uri")
        .message(
            "write an absolute URL such as http://host/path, or beside ref a path relative to its address",
        )
}

pub(crate) fn attribute_names() -> Rule {
    Rule::new("self.all(name, name.matches('^[a-z][a-z0-9]*$'))")
        .message("names of attributes begin with a letter and consist of lower-case letters and digits")
}

pub(crate) fn one_dialect() -> Rule {
    Rule::new(
        "[has(self.all), has(self.any), has(self.cesql), has(self.exact), has(self.not), has(self.prefix), \
         has(self.suffix)].filter(given, given).size() <= 1",
    )
    .message("a filter has one dialect: put each of them into an entry of its own")
}

/// A field that must be there. `field` is a literal of this crate.
pub(crate) fn required(field: &str, what: &str) -> Rule {
    Rule::new(format!("has(self.{field})"))
        .field_path(format!(".{field}"))
        .message(format!("give {what}").as_str())
}

/// A list with at least one entry.
pub(crate) fn not_empty(field: &str, what: &str) -> Rule {
    Rule::new(format!("has(self.{field}) && size(self.{field}) > 0"))
        .field_path(format!(".{field}"))
        .message(format!("give at least one {what}").as_str())
}

/// A field that keeps the value it was created with, or stays absent.
pub(crate) fn immutable(field: &str, kind: &str) -> Rule {
    Rule::new(format!(
        "has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
    ))
    .message(format!("{field} never changes: delete the {kind} and create it anew").as_str())
}

/// Exactly one of two fields.
pub(crate) fn either(one: &str, other: &str) -> Rule {
    Rule::new(format!("has(self.{one}) != has(self.{other})"))
        .message(format!("give either {one} or {other}").as_str())
}

/// A Trigger's broker.
pub(crate) fn broker() -> Rule {
    Rule::new("(has(self.broker) && self.broker != '') != has(self.brokerRef)")
        .message("give either broker, the name of a Broker, or brokerRef")
}

/// A Trigger's broker by name, where the empty name is none.
pub(crate) fn immutable_broker() -> Rule {
    Rule::new("(has(self.broker) ? self.broker : '') == (has(oldSelf.broker) ? oldSelf.broker : '')")
        .message("broker never changes: delete the Trigger and create it anew")
}

/// The kind of the objects that a policy selects.
pub(crate) fn kind() -> Rule {
    Rule::new(kind!()).message("give apiVersion and kind of the objects")
}

/// Whom a policy lets send, by name.
pub(crate) fn subject() -> Rule {
    Rule::new("self.matches('^[^*]*[*]?$') && self != ''")
        .message("write the subject of a token; a * may stand at its end only")
}

/// Nobody subscribes to a channel that another stands behind.
pub(crate) fn no_subscribers() -> Rule {
    Rule::new("!has(self.subscribers) || size(self.subscribers) == 0")
        .field_path(".subscribers")
        .message("leave it out and create a Subscription")
}
