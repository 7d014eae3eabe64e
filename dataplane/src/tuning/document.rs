//! `eagre.toml` while it is read: values are taken out key by key, mistakes gather,
//! and what nobody took is a mistake too.

use std::{collections::BTreeMap, ops::RangeInclusive, path::PathBuf};

use eagre_settings::within;
use toml::de::{DeTable, DeValue};

use super::{Mistake, written::Written};

/// A parsed file. After a mistake it goes on with the default, so that one run tells
/// them all.
#[derive(Debug)]
pub(super) struct Document<'t> {
    path: PathBuf,
    text: &'t str,
    /// What nobody has taken yet.
    rest: DeTable<'t>,
    /// Section and key of all that was asked for.
    known: Vec<(&'static str, &'static str)>,
    /// Where the values begin that were found, by section and key with a dot between.
    places: BTreeMap<String, usize>,
    /// The keys whose values were refused, named likewise.
    refused: Vec<String>,
    mistakes: Vec<(usize, String)>,
}

impl<'t> Document<'t> {
    /// Parses `text`, which was read from `path`.
    ///
    /// # Errors
    /// It is no TOML.
    pub(super) fn parse(path: PathBuf, text: &'t str) -> Result<Self, Mistake> {
        let mut document = Self {
            path,
            text,
            rest: DeTable::new(),
            known: Vec::new(),
            places: BTreeMap::new(),
            refused: Vec::new(),
            mistakes: Vec::new(),
        };
        match DeTable::parse(text) {
            Ok(table) => document.rest = table.into_inner(),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                return Err(document.located(at, error.message().to_owned()));
            }
        }
        Ok(document)
    }

    /// Takes a value out; `default` where the file has none.
    pub(super) fn take<T: Written>(&mut self, section: &'static str, key: &'static str, default: T) -> T {
        self.value(section, key).map_or(default, |(_, value)| value)
    }

    /// Takes a value out that must lie in `allowed`.
    pub(super) fn take_within<T: Written + PartialOrd>(
        &mut self,
        section: &'static str,
        key: &'static str,
        default: T,
        allowed: &RangeInclusive<T>,
    ) -> T {
        let Some((at, value)) = self.value(section, key) else { return default };
        match within(&value, allowed, T::text) {
            Ok(()) => value,
            Err(problem) => {
                self.refuse(section, key, at, format!(" = {}: {problem}", value.text()));
                default
            }
        }
    }

    fn value<T: Written>(&mut self, section: &'static str, key: &'static str) -> Option<(usize, T)> {
        self.known.push((section, key));
        let DeValue::Table(table) = self.rest.get_mut(section)?.get_mut() else { return None };
        let value = table.remove(key)?;
        let at = value.span().start;
        self.places.insert(format!("{section}.{key}"), at);
        match T::read(value.get_ref()) {
            Ok(value) => Some((at, value)),
            Err(problem) => {
                self.refuse(section, key, at, format!(": {problem}"));
                None
            }
        }
    }

    fn refuse(&mut self, section: &str, key: &str, at: usize, what: String) {
        let name = format!("{section}.{key}");
        self.mistakes.push((at, name.clone() + &what));
        self.refused.push(name);
    }

    /// Demands that a relation between the values of `keys` `holds`, unless one of them was
    /// refused. Its mistake is told at the first that is in the file.
    pub(super) fn relation(&mut self, holds: bool, keys: &[&str], message: impl FnOnce() -> String) {
        if !holds && !keys.iter().any(|key| self.refused.iter().any(|refused| refused == key)) {
            let at = keys.iter().find_map(|key| self.places.get(*key)).copied().unwrap_or(0);
            self.mistakes.push((at, message()));
        }
    }

    /// Whether all was well, and all of the file was taken.
    ///
    /// # Errors
    /// Every mistake, in the order of the file.
    pub(super) fn finish(mut self) -> Result<(), Vec<Mistake>> {
        self.mistakes.extend(self.unknown());
        self.mistakes.sort_by_key(|(at, _)| *at);
        let mistakes: Vec<_> =
            self.mistakes.iter().map(|(at, message)| self.located(*at, message.clone())).collect();
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }

    fn unknown(&self) -> Vec<(usize, String)> {
        let mut unknown = Vec::new();
        for (name, value) in &self.rest {
            let keys: Vec<_> = self
                .known
                .iter()
                .filter(|(section, _)| section == name.get_ref())
                .map(|(_, key)| *key)
                .collect();
            match value.get_ref() {
                _ if keys.is_empty() => {
                    let mut sections: Vec<_> = self.known.iter().map(|(section, _)| *section).collect();
                    sections.dedup();
                    let message =
                        format!("there is no section `{}`; there are {}", name.get_ref(), list(&sections));
                    unknown.push((name.span().start, message));
                }
                DeValue::Table(table) => unknown.extend(table.keys().map(|key| {
                    let message =
                        format!("{} has no key `{}`; it has {}", name.get_ref(), key.get_ref(), list(&keys));
                    (key.span().start, message)
                })),
                _ => {
                    let message =
                        format!("`{0}` is a section; write [{0}] and its keys below", name.get_ref());
                    unknown.push((name.span().start, message));
                }
            }
        }
        unknown
    }

    /// A mistake at byte `at`.
    fn located(&self, at: usize, message: String) -> Mistake {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let place = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
        Mistake { path: self.path.clone(), place, message }
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
