//! The Prometheus text format, version 0.0.4: families, samples, escaping.

use std::fmt::Write;

use super::instrument::Reading;

/// The media type of what [`Text`] writes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes families one after another.
pub(super) struct Text<'o> {
    out: &'o mut String,
    family: &'static str,
}

/// Labels in the order they are written.
pub(super) type Labels<'l> = &'l [(&'l str, &'l str)];

impl<'o> Text<'o> {
    pub(super) fn new(out: &'o mut String) -> Self {
        Self { out, family: "" }
    }

    /// Begins a family; all its samples must follow before the next begins.
    pub(super) fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        debug_assert!(!help.contains(['\n', '\\']));
        self.family = name;
        let _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A family of one sample.
    pub(super) fn single(&mut self, name: &'static str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.float(&[], value);
    }

    /// A whole-number sample of the family.
    pub(super) fn sample(&mut self, labels: Labels<'_>, value: u64) {
        self.name("", labels, None);
        let _ = writeln!(self.out, " {value}");
    }

    /// A sample of the family.
    pub(super) fn float(&mut self, labels: Labels<'_>, value: f64) {
        self.name("", labels, None);
        let _ = writeln!(self.out, " {value}");
    }

    /// A histogram of the family; its bounds and sum are divided by `unit`. The count is
    /// that of the buckets, so that it always equals the last of them.
    pub(super) fn histogram(&mut self, labels: Labels<'_>, reading: &Reading, unit: f64) {
        let mut count = 0;
        for (i, in_bucket) in reading.buckets.iter().enumerate() {
            count += in_bucket;
            let bound =
                reading.bounds.get(i).map_or("+Inf".into(), |bound| (*bound as f64 / unit).to_string());
            self.name("_bucket", labels, Some(&bound));
            let _ = writeln!(self.out, " {count}");
        }
        self.name("_sum", labels, None);
        let _ = writeln!(self.out, " {}", reading.sum as f64 / unit);
        self.name("_count", labels, None);
        let _ = writeln!(self.out, " {count}");
    }

    fn name(&mut self, suffix: &str, labels: Labels<'_>, bound: Option<&str>) {
        self.out.push_str(self.family);
        self.out.push_str(suffix);
        let bound = bound.map(|bound| ("le", bound));
        let mut open = false;
        for (label, value) in labels.iter().copied().chain(bound) {
            self.out.push(if open { ',' } else { '{' });
            open = true;
            self.out.push_str(label);
            self.out.push_str("=\"");
            self.escaped(value);
            self.out.push('"');
        }
        if open {
            self.out.push('}');
        }
    }

    fn escaped(&mut self, value: &str) {
        for c in value.chars() {
            match c {
                '\\' => self.out.push_str("\\\\"),
                '"' => self.out.push_str("\\\""),
                '\n' => self.out.push_str("\\n"),
                c => self.out.push(c),
            }
        }
    }
}
