//! Names of places inside a trigger's filter, as the manifest spells them.

use crate::Filter;

/// Where a trigger's whole filter stands.
pub(crate) fn root(filter: &Filter) -> String {
    match filter {
        Filter::All(_) => "filters",
        Filter::Attributes(_) => "filter",
        _ => "filters[0]",
    }
    .into()
}

/// The key of a filter's dialect in the object at `at`. The list of a
/// trigger's filters has no key of its own.
pub(crate) fn dialect(at: &str, filter: &Filter) -> String {
    let key = match filter {
        Filter::Everything => return at.into(),
        Filter::All(_) if at == "filters" => return at.into(),
        Filter::Attributes(_) => "attributes",
        Filter::Exact(_) => "exact",
        Filter::Prefix(_) => "prefix",
        Filter::Suffix(_) => "suffix",
        Filter::All(_) => "all",
        Filter::Any(_) => "any",
        Filter::Not(_) => "not",
        Filter::Cesql(_) => "cesql",
    };
    format!("{at}.{key}")
}
