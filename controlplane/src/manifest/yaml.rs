//! YAML text to a tree in which every node knows its position.
//!
//! The tree is untyped on purpose: typed decoding stops at the first mistake,
//! and whoever edits a manifest wants to see all of them. Syntax errors do end
//! the file they are in, because nothing after them has a certain meaning.

use std::{fmt, path::Path, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Location, Spanned};

use super::diagnostic::{Diagnostic, Place};
use crate::limits;

/// A node and where it begins in its file.
#[derive(Clone, Debug)]
pub struct Node {
    /// Line and column, counted from 1.
    pub at: At,
    /// The content.
    pub value: Value,
}

/// Line and column, counted from 1; the column in characters.
pub type At = (usize, usize);

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing, `~` or `null`: in a manifest the same as leaving the field out.
    Null,
    /// A Boolean.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A number that is no 64-bit integer.
    Number(f64),
    /// Text.
    String(String),
    /// A list.
    Sequence(Vec<Node>),
    /// Fields in the order written.
    Mapping(Vec<Field>),
}

/// One entry of a mapping.
#[derive(Clone, Debug)]
pub struct Field {
    /// The key.
    pub name: String,
    /// Where the key is.
    pub at: At,
    /// The value.
    pub node: Node,
}

impl Value {
    /// The type in words, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Boolean(_) => "a Boolean",
            Value::Integer(_) => "an integer",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }
}

/// The documents of a file; empty ones are left out.
pub fn documents(path: &Arc<Path>, text: &str) -> Result<Vec<Node>, Diagnostic> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: limits::YAML_ALIAS_EVENTS_MAX,
        },
        budget: serde_saphyr::budget! {
            max_depth: limits::YAML_DEPTH_MAX,
            max_documents: limits::YAML_DOCUMENTS_MAX,
            max_nodes: limits::YAML_NODES_MAX,
            max_events: 2 * limits::YAML_NODES_MAX,
        },
    };
    // A byte order mark is an encoding mark, not content.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_saphyr::from_multiple_with_options::<Node>(text, options)
        .map_err(|error| syntax_error(path, error.without_snippet()))
}

fn syntax_error(path: &Arc<Path>, error: &serde_saphyr::Error) -> Diagnostic {
    let (line, column) = error.location().map_or((0, 0), position);
    let place = Place { path: Arc::clone(path), line, column };
    if let serde_saphyr::Error::DuplicateMappingKey { key, .. } = error {
        let key = key.as_deref().unwrap_or("this field");
        return Diagnostic::error(&place, format!("`{key}` is given twice"), "keep one of the two");
    }
    let message = error.to_string();
    // The library appends its own rendering of the position.
    let message = message.split(" at line ").next().unwrap_or(&message).trim();
    Diagnostic::error(
        &place,
        format!("not valid YAML: {}", message.strip_prefix("error: ").unwrap_or(message)),
        "indent with spaces; quote strings that contain `: ` or begin with one of `*&!%@{[`",
    )
}

fn position(location: Location) -> At {
    (location.line() as usize, location.column() as usize)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Node { at: position(spanned.referenced), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Number(value as f64), Value::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(key) = access.next_key::<Node>()? {
            let name = match key.value {
                Value::String(name) => name,
                // Kinds that are not ours have data maps with any scalar as key.
                Value::Integer(number) => number.to_string(),
                Value::Boolean(boolean) => boolean.to_string(),
                other => {
                    let kind = other.kind();
                    return Err(A::Error::custom(format_args!(
                        "a field's name must be a string, not {kind}"
                    )));
                }
            };
            fields.push(Field { name, at: key.at, node: access.next_value()? });
        }
        Ok(Value::Mapping(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Node>, Diagnostic> {
        documents(&Path::new("t.yaml").into(), text)
    }

    #[test]
    fn every_node_knows_its_position() {
        let documents = parse("a: 1\n---\nb:\n  - true\n  - c: \"2\"\n").unwrap();
        let Value::Mapping(fields) = &documents[1].value else { panic!("{documents:?}") };
        assert_eq!((fields[0].name.as_str(), fields[0].at), ("b", (3, 1)));
        let Value::Sequence(items) = &fields[0].node.value else { panic!("{fields:?}") };
        assert!(matches!(items[0], Node { at: (4, 5), value: Value::Boolean(true) }));
        let Value::Mapping(inner) = &items[1].value else { panic!("{items:?}") };
        assert_eq!(inner[0].node.at, (5, 8));
        assert!(matches!(&inner[0].node.value, Value::String(text) if text == "2"));
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let error = parse("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert!(error.line >= 2, "{error}");
    }

    #[test]
    fn a_file_of_comments_has_no_documents() {
        assert!(parse("# nothing\n---\n# here\n").unwrap().is_empty());
    }

    #[test]
    fn duplicate_fields_are_refused() {
        let error = parse("a: 1\na: 2\n").unwrap_err();
        assert_eq!((error.line, error.column), (2, 1));
        assert_eq!(error.message, "`a` is given twice");
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..10 {
            let previous = format!("*a{}", level - 1);
            let list = vec![previous; 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
        }
        assert!(parse(&text).is_err());
    }
}
