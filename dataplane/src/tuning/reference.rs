//! What people read about the keys of `eagre.toml`, made from their declarations: the
//! sample file, the tables of `docs/settings.md`, the list in the help text. Tests hold
//! the two files equal to what is made here.

use std::fmt::Write as _;

use super::{
    Delivery, Ingress, Limits, Runtime, Wal,
    section::{Applies, Default, Key},
};

/// Width of the sample's comments.
const COLUMNS: usize = 96;

/// Name, subject and keys of each section.
fn sections() -> [(&'static str, &'static str, Vec<Key>); 5] {
    [Runtime::keys(), Wal::keys(), Ingress::keys(), Delivery::keys(), Limits::keys()]
}

impl Key {
    /// What may be written, in short.
    fn allowed(&self) -> String {
        match &self.range {
            Some((least, most)) => format!("{}, {least} to {most}", self.kind),
            None => self.kind.to_owned(),
        }
    }

    fn applies(&self) -> &'static str {
        match self.applies {
            Applies::AtStart => "at the next start",
            Applies::Live => "at once",
        }
    }
}

/// A tuning file with every key at its default, commented out where that is computed.
#[must_use]
pub fn sample() -> String {
    let mut text = String::from(
        "# Every setting of the data plane with its default, as `eagre settings` prints it; what is\n\
         # commented out has a default that depends on others. Use: eagre up --config eagre.toml.\n",
    );
    for (name, about, keys) in sections() {
        let _ = write!(text, "\n# {about}\n[{name}]\n");
        for key in keys {
            let facts = format!("({}; applies {})", key.allowed(), key.applies());
            let _ = writeln!(text, "\n{}\n# {facts}", comment(key.reason));
            let _ = match &key.default {
                Default::Value(value) => writeln!(text, "{} = {value}", key.name),
                Default::Computed { words, example } => {
                    writeln!(text, "{}\n# {} = {example}", comment(&format!("Left out: {words}.")), key.name)
                }
            };
        }
    }
    text
}

/// The keys for the end of a help text.
pub(crate) fn help() -> String {
    let mut text = String::from("Keys of the tuning file with their defaults (reasons: docs/settings.md):");
    for (name, _, keys) in sections() {
        let _ = write!(text, "\n  [{name}]");
        for key in keys {
            let allowed = key.allowed();
            let default = match key.default {
                Default::Value(value) => value,
                Default::Computed { words, .. } => words.replace('`', ""),
            };
            let _ = write!(text, "\n    {:<28} {default} ({allowed})", key.name);
        }
    }
    text
}

/// The tables of `docs/settings.md`.
#[cfg(test)]
pub(super) fn tables() -> String {
    let mut text = String::new();
    for (name, about, keys) in sections() {
        let _ = write!(text, "\n## `[{name}]`\n\n{about}\n\n");
        text.push_str("| key | default | allowed | applies | what and why |\n|---|---|---|---|---|\n");
        for key in keys {
            let default = match &key.default {
                Default::Value(value) => format!("`{value}`"),
                Default::Computed { words, .. } => (*words).to_owned(),
            };
            let (allowed, applies) = (key.allowed(), key.applies());
            let _ = writeln!(text, "| `{}` | {default} | {allowed} | {applies} | {} |", key.name, key.reason);
        }
    }
    text
}

/// Text as lines of a comment.
fn comment(text: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in text.split_whitespace() {
        if lines.last().is_some_and(|line| line.len() + 1 + word.len() > COLUMNS) {
            lines.push(String::from("#"));
        }
        let line = lines.last_mut().expect("there is a line");
        line.push(' ');
        line.push_str(word);
    }
    lines.join("\n")
}
