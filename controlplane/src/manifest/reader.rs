//! Typed access to YAML nodes that collects every mistake on the way.
//!
//! Each accessor returns `None` after it has reported why, so that a caller
//! goes on with the next field. `null` counts as absent, as it does for an API
//! server.

use std::{path::Path, sync::Arc};

use super::diagnostic::{Diagnostic, Located, Place};
use super::object::Object;
use super::yaml::{At, Field, Node, Value};

/// One file being read, and what was found in it so far.
pub struct Reader<'t> {
    /// The file's name.
    pub path: Arc<Path>,
    /// The file's text, for positions inside a string.
    pub text: &'t str,
    /// The objects read.
    pub objects: Vec<Object>,
    /// What was found.
    pub diagnostics: Vec<Diagnostic>,
    /// How many errors there are; compared before and after, it tells whether
    /// a part was read without one.
    pub errors: usize,
    /// Whether an object that may be a broker could not be read.
    pub gaps: bool,
}

impl<'t> Reader<'t> {
    /// Begins a file.
    pub fn new(path: &Arc<Path>, text: &'t str) -> Reader<'t> {
        let path = Arc::clone(path);
        Reader { path, text, objects: Vec::new(), diagnostics: Vec::new(), errors: 0, gaps: false }
    }

    /// The place of a line and column of this file.
    pub fn place(&self, (line, column): At) -> Place {
        Place { path: Arc::clone(&self.path), line, column }
    }

    /// Adds a remark.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.is_error());
        self.diagnostics.push(diagnostic);
    }

    /// Adds an error.
    pub fn error(&mut self, at: At, message: impl Into<String>, hint: impl Into<String>) {
        self.report(Diagnostic::error(&self.place(at), message, hint));
    }

    /// Adds a warning.
    pub fn warning(&mut self, at: At, message: impl Into<String>, hint: impl Into<String>) {
        self.report(Diagnostic::warning(&self.place(at), message, hint));
    }

    /// The fields of a mapping. `path` is how messages call it.
    pub fn mapping<'n>(&mut self, node: &'n Node, path: &str) -> Option<&'n [Field]> {
        match &node.value {
            Value::Mapping(fields) => Some(fields),
            other => {
                let kind = other.kind();
                self.error(
                    node.at,
                    format!("`{path}` must be a mapping, not {kind}"),
                    "write `name: value` lines below it",
                );
                None
            }
        }
    }

    /// The items of a list.
    pub fn sequence<'n>(&mut self, node: &'n Node, path: &str) -> Option<&'n [Node]> {
        match &node.value {
            Value::Sequence(items) => Some(items),
            other => {
                let kind = other.kind();
                self.error(
                    node.at,
                    format!("`{path}` must be a list, not {kind}"),
                    "begin each item with `- `",
                );
                None
            }
        }
    }

    /// A string and its place.
    pub fn string(&mut self, node: &Node, path: &str) -> Option<Located<String>> {
        match &node.value {
            Value::String(text) => Some(Located { value: text.clone(), place: self.place(node.at) }),
            other => {
                let kind = other.kind();
                let hint = match other {
                    Value::Sequence(_) | Value::Mapping(_) | Value::Null => "write one value",
                    _ => "put it in quotes",
                };
                self.error(node.at, format!("`{path}` must be a string, not {kind}"), hint);
                None
            }
        }
    }

    /// A string that a mapping must have; `at` is where the mapping is.
    pub fn required_string(
        &mut self,
        fields: &[Field],
        name: &str,
        path: &str,
        at: At,
        hint: &str,
    ) -> Option<Located<String>> {
        match find(fields, name) {
            None => {
                self.error(at, format!("`{path}` is missing"), hint);
                None
            }
            Some(node) => {
                let text = self.string(node, path)?;
                if text.value.is_empty() {
                    self.error(node.at, format!("`{path}` is empty"), hint);
                    return None;
                }
                Some(text)
            }
        }
    }

    /// Warns of fields that are not in `known`.
    pub fn unknown(&mut self, fields: &[Field], path: &str, known: &[&str]) {
        for field in fields.iter().filter(|field| !known.contains(&field.name.as_str())) {
            let hint = match known.iter().find(|name| is_close(name, &field.name)) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("fields known here: {}", known.join(", ")),
            };
            self.warning(field.at, format!("`{path}` has no field `{}`; it is ignored", field.name), hint);
        }
    }
}

/// The value of a field, unless it is absent or null.
pub fn find<'n>(fields: &'n [Field], name: &str) -> Option<&'n Node> {
    let field = fields.iter().find(|field| field.name == name)?;
    (!matches!(field.node.value, Value::Null)).then_some(&field.node)
}

/// Whether two names differ by case, or by one character added, removed,
/// changed or swapped with its neighbour.
pub fn is_close(known: &str, written: &str) -> bool {
    if known.eq_ignore_ascii_case(written) {
        return true;
    }
    let (a, b): (Vec<char>, Vec<char>) = (known.chars().collect(), written.chars().collect());
    let start = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let end = a[start..].iter().rev().zip(b[start..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[start..a.len() - end], &b[start..b.len() - end]);
    // One letter is too little to guess from.
    known.len() > 2
        && ((a.len() <= 1 && b.len() <= 1) || (a.len() == 2 && b.len() == 2 && a[0] == b[1] && a[1] == b[0]))
}

#[cfg(test)]
mod tests {
    use super::is_close;

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        for written in ["Retry", "rety", "rettry", "retri", "rtery", "retr"] {
            assert!(is_close("retry", written), "{written}");
        }
        for written in ["", "retries", "timeout", "yrter"] {
            assert!(!is_close("retry", written), "{written}");
        }
    }
}
