//! Filters of a trigger: YAML to the syntax tree.
//!
//! `filters`, where it is not empty, decides alone; else `filter.attributes`
//! does; else everything passes (contract 2.1). An unknown dialect is an error
//! rather than a warning, because without it the filter would let pass what it
//! was written to keep away.
//!
//! The filter crate judges each condition as soon as it is read, so that its
//! problems get the position of that condition.

use eagre_filter::Filter;

use super::reader::{Reader, find, is_close};
use super::yaml::{At, Field, Node};

const DIALECTS: &[&str] = &["exact", "prefix", "suffix", "all", "any", "not", "cesql"];

impl Reader<'_> {
    /// The filter of a trigger's spec; meaningless after an error.
    pub fn filter(&mut self, spec: &[Field]) -> Filter {
        let legacy = find(spec, "filter").and_then(|node| self.legacy(node));
        let filters =
            find(spec, "filters").and_then(|node| Some((node, self.sequence(node, "spec.filters")?)));
        match (filters, legacy) {
            (Some((node, items)), legacy) if !items.is_empty() => {
                if let Some((at, _)) = legacy {
                    let message = "`spec.filter` has no effect, because `spec.filters` decides alone";
                    let hint = "remove it, unless brokers that know only `filter` read this manifest too";
                    self.warning(at, message, hint);
                }
                let errors = self.errors;
                let filter = Filter::All(self.filters(items, "spec.filters"));
                if self.errors == errors {
                    // What no single condition shows, such as too deep a nesting.
                    self.judge(&filter, node.at, "spec.filters");
                }
                filter
            }
            (_, Some((_, filter))) => filter,
            (_, None) => Filter::Everything,
        }
    }

    fn legacy(&mut self, node: &Node) -> Option<(At, Filter)> {
        let fields = self.mapping(node, "spec.filter")?;
        self.unknown(fields, "spec.filter", &["attributes"]);
        let attributes = find(fields, "attributes")?;
        let pairs = self.pairs(attributes, "spec.filter.attributes", Filter::Attributes)?;
        (!pairs.is_empty()).then_some((node.at, Filter::Attributes(pairs)))
    }

    fn filters(&mut self, items: &[Node], path: &str) -> Vec<Filter> {
        let read = |(index, node)| self.one(node, &format!("{path}[{index}]"));
        items.iter().enumerate().filter_map(read).collect()
    }

    /// One filter object: a single dialect, or none at all.
    fn one(&mut self, node: &Node, path: &str) -> Option<Filter> {
        let fields = self.mapping(node, path)?;
        for field in fields.iter().filter(|field| !DIALECTS.contains(&field.name.as_str())) {
            let hint = match DIALECTS.iter().find(|dialect| is_close(dialect, &field.name)) {
                Some(dialect) => format!("did you mean `{dialect}`?"),
                None if field.name == "sql" => "Knative calls this dialect `cesql`".to_owned(),
                None => format!("the dialects are {}", DIALECTS.join(", ")),
            };
            self.error(field.at, format!("`{path}` has an unknown dialect `{}`", field.name), hint);
        }
        let mut given = DIALECTS.iter().filter_map(|name| Some((*name, find(fields, name)?)));
        let Some((name, value)) = given.next() else { return Some(Filter::Everything) };
        if let Some((second, node)) = given.next() {
            let message = format!("`{path}` has two dialects, `{name}` and `{second}`");
            self.error(node.at, message, "make each an item of its own; all items must pass");
        }
        self.dialect(name, value, &format!("{path}.{name}"))
    }

    fn dialect(&mut self, name: &str, node: &Node, path: &str) -> Option<Filter> {
        Some(match name {
            "exact" => Filter::Exact(self.conditions(node, path, Filter::Exact)?),
            "prefix" => Filter::Prefix(self.conditions(node, path, Filter::Prefix)?),
            "suffix" => Filter::Suffix(self.conditions(node, path, Filter::Suffix)?),
            "all" => Filter::All(self.nested(node, path)?),
            "any" => Filter::Any(self.nested(node, path)?),
            "not" => Filter::Not(Box::new(self.one(node, path)?)),
            _ => {
                let expression = Filter::Cesql(self.string(node, path)?.value);
                self.judge(&expression, node.at, path);
                expression
            }
        })
    }

    fn nested(&mut self, node: &Node, path: &str) -> Option<Vec<Filter>> {
        let items = self.sequence(node, path)?;
        Some(self.filters(items, path))
    }

    fn conditions(&mut self, node: &Node, path: &str, dialect: Dialect) -> Option<Vec<(String, String)>> {
        let pairs = self.pairs(node, path, dialect)?;
        if pairs.is_empty() {
            self.judge(&dialect(Vec::new()), node.at, path);
        }
        Some(pairs)
    }

    /// Attribute names and values, each judged where it stands.
    fn pairs(&mut self, node: &Node, path: &str, dialect: Dialect) -> Option<Vec<(String, String)>> {
        let fields = self.mapping(node, path)?;
        let mut pairs = Vec::with_capacity(fields.len());
        for field in fields {
            let Some(value) = self.string(&field.node, &format!("{path}.{}", field.name)) else { continue };
            let pair = (field.name.clone(), value.value);
            self.judge(&dialect(vec![pair.clone()]), field.at, path);
            pairs.push(pair);
        }
        Some(pairs)
    }

    /// Reports what the filter crate has against `filter`, written at `at`.
    fn judge(&mut self, filter: &Filter, at: At, path: &str) {
        for problem in eagre_filter::validate(filter).err().unwrap_or_default() {
            let inside = match (filter, problem.column) {
                (Filter::Cesql(expression), Some(column)) => self.inside(at, expression, column),
                _ => None,
            };
            // Where the position is exact, the line of the manifest is shown in
            // place of the expression that follows the message's first line.
            let message = match inside {
                Some(_) => problem.message.lines().next().unwrap_or_default(),
                None => &problem.message,
            };
            self.error(inside.unwrap_or(at), format!("`{path}`: {message}"), problem.hint);
        }
    }

    /// The position of `column` of an expression whose scalar begins at `at`;
    /// `None` where the text is folded or escaped.
    fn inside(&self, (line, column): At, expression: &str, inner: usize) -> Option<At> {
        let text = self.text.lines().nth(line.checked_sub(1)?)?;
        // Plain, or after an opening quote.
        let starts = |column: usize| {
            let (offset, _) = text.char_indices().nth(column - 1)?;
            text[offset..].starts_with(expression).then_some((line, column + inner.saturating_sub(1)))
        };
        column.checked_sub(1)?;
        starts(column).or_else(|| starts(column + 1))
    }
}

type Dialect = fn(Vec<(String, String)>) -> Filter;
