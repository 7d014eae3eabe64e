//! The settings of a broker, as keys of its ConfigMap's `data`.
//!
//! A new setting is one entry of `SETTINGS`. Keys follow the dotted lower case
//! of Knative's own broker ConfigMaps, behind a prefix of ours: where it stands,
//! a slip is an error; where it does not, the key is another class's, and one
//! ConfigMap may serve brokers of several.

use eagre_settings::{BACKLOG_BYTES_RANGE, ValueError, size};
use eagre_snapshot::BrokerSettings;

use super::object::CLASS;
use super::reader::{Reader, is_close};
use super::yaml::Field;
use crate::limits::FOREIGN_KEYS_NAMED_MAX;

/// What every key of ours begins with. A key cannot have the `/` of an
/// annotation's prefix.
const PREFIX: &str = "eagre.";

/// What Knative's ConfigMaps begin the key of their own documentation with.
const EXAMPLE: &str = "_";

struct Setting {
    key: &'static str,
    /// Reads the text of the value.
    read: fn(&mut BrokerSettings, &str) -> Result<(), ValueError>,
}

const SETTINGS: &[Setting] = &[
    Setting {
        key: "eagre.fsync",
        read: |settings, text| {
            settings.fsync = Some(text.parse()?);
            Ok(())
        },
    },
    Setting {
        key: "eagre.backlog.max-bytes",
        read: |settings, text| {
            settings.backlog_bytes_max = Some(size::parse_within(text, &BACKLOG_BYTES_RANGE)?);
            Ok(())
        },
    },
];

impl Reader<'_> {
    /// Reads the settings among the fields of a ConfigMap's `data`.
    pub fn settings(&mut self, data: &[Field]) -> BrokerSettings {
        let mut settings = BrokerSettings::default();
        let mut foreign = Vec::new();
        for field in data {
            let name = field.name.as_str();
            if let Some(setting) = SETTINGS.iter().find(|setting| setting.key == name) {
                self.setting(setting, field, &mut settings);
            } else if name.starts_with(PREFIX) {
                let hint = meant(name).unwrap_or_else(known);
                self.error(field.at, format!("there is no setting `{name}`"), hint);
            } else if let Some(hint) = meant(name) {
                self.warning(field.at, format!("`data.{name}` has no effect"), hint);
            } else if !name.starts_with(EXAMPLE) {
                foreign.push(field);
            }
        }
        self.foreign_keys(&foreign);
        settings
    }

    fn setting(&mut self, setting: &Setting, field: &Field, settings: &mut BrokerSettings) {
        let path = format!("data.{}", field.name);
        let Some(text) = self.string(&field.node, &path) else { return };
        if let Err(ValueError { problem, forms }) = (setting.read)(settings, &text.value) {
            let message = format!("`{path}` cannot be `{}`: {problem}", text.value);
            self.error(field.node.at, message, forms);
        }
    }

    /// One remark for all: another class's ConfigMap is not a mistake in each line.
    fn foreign_keys(&mut self, keys: &[&Field]) {
        let Some(first) = keys.first() else { return };
        let named = &keys[..keys.len().min(FOREIGN_KEYS_NAMED_MAX)];
        let mut names = named.iter().map(|key| format!("`{}`", key.name)).collect::<Vec<_>>().join(", ");
        if named.len() < keys.len() {
            names.push_str(&format!(" and {} more", keys.len() - named.len()));
        }
        self.warning(first.at, format!("no effect on brokers of class {CLASS}: {names}"), known());
    }
}

/// The hint at a key that is nearly one of ours, or lacks the prefix.
fn meant(name: &str) -> Option<String> {
    let is_meant = |key: &str| is_close(key, name) || is_close(key.trim_start_matches(PREFIX), name);
    let setting = SETTINGS.iter().find(|setting| is_meant(setting.key))?;
    Some(format!("did you mean `{}`?", setting.key))
}

fn known() -> String {
    let keys: Vec<_> = SETTINGS.iter().map(|setting| setting.key).collect();
    format!("settings of class {CLASS}: {}", keys.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_our_prefix_and_its_line_in_the_documentation() {
        let page = include_str!("../../../docs/snapshot.md");
        for Setting { key, .. } in SETTINGS {
            assert!(key.starts_with(PREFIX) && page.contains(&format!("\n| `{key}` |")), "{key}");
        }
    }
}
