//! LIKE patterns, compiled.
//!
//! `%` stands for any run of characters, `_` for one character, `\%` and `\_`
//! for themselves; the pattern must cover the whole value. Matching never goes
//! back: the first and the last part are tied to the ends, and each part
//! between takes the leftmost place, which leaves the most room for the rest.

use memchr::memmem::Finder;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    /// No wildcard at all.
    Exact(Box<str>),
    /// `abc%`.
    Prefix(Box<str>),
    /// `%abc`.
    Suffix(Box<str>),
    /// Everything else: the parts between the `%`, one at least.
    Parts(Box<[Part]>),
}

/// What stands between two `%`.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Without `_`, with what it takes to search for it.
    Literal(Box<str>, Box<Finder<'static>>),
    /// With `_`, as `None`.
    Wild(Box<[Option<char>]>),
}

/// One element of a pattern.
#[derive(Clone, Copy, PartialEq)]
enum Element {
    Any,
    One,
    Literal(char),
}

fn elements(pattern: &str) -> impl Iterator<Item = Element> {
    let mut chars = pattern.chars().peekable();
    std::iter::from_fn(move || {
        Some(match chars.next()? {
            '%' => Element::Any,
            '_' => Element::One,
            '\\' => match chars.next_if(|c| matches!(c, '%' | '_')) {
                Some(wildcard) => Element::Literal(wildcard),
                None => Element::Literal('\\'),
            },
            c => Element::Literal(c),
        })
    })
}

/// The characters of the longest part that contains `_`.
pub(crate) fn wildcard_run(pattern: &str) -> usize {
    parts(pattern)
        .iter()
        .map(|part| match part {
            Part::Literal(..) => 0,
            Part::Wild(characters) => characters.len(),
        })
        .max()
        .unwrap_or(0)
}

fn parts(pattern: &str) -> Vec<Part> {
    let elements: Vec<Element> = elements(pattern).collect();
    elements.split(|element| *element == Element::Any).map(Part::new).collect()
}

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Pattern {
        let parts = parts(pattern);
        match parts.as_slice() {
            [Part::Literal(all, _)] => Pattern::Exact(all.clone()),
            [Part::Literal(start, _), Part::Literal(end, _)] if end.is_empty() => {
                Pattern::Prefix(start.clone())
            }
            [Part::Literal(start, _), Part::Literal(end, _)] if start.is_empty() => {
                Pattern::Suffix(end.clone())
            }
            _ => Pattern::Parts(parts.into()),
        }
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Pattern::Exact(all) => **all == *text,
            Pattern::Prefix(start) => text.starts_with(&**start),
            Pattern::Suffix(end) => text.ends_with(&**end),
            Pattern::Parts(parts) => covers(parts, text),
        }
    }
}

fn covers(parts: &[Part], text: &str) -> bool {
    let (first, rest) = parts.split_first().expect("splitting yields one part at least");
    let Some(mut text) = first.strip_start(text) else { return false };
    let Some((last, middle)) = rest.split_last() else { return text.is_empty() };
    for part in middle {
        match part.find_end(text) {
            Some(end) => text = &text[end..],
            None => return false,
        }
    }
    last.ends(text)
}

impl Part {
    fn new(elements: &[Element]) -> Part {
        let characters = elements.iter().map(|element| match element {
            Element::Literal(c) => Some(*c),
            Element::One | Element::Any => None,
        });
        match characters.clone().collect::<Option<String>>() {
            Some(literal) => {
                let finder = Box::new(Finder::new(&literal).into_owned());
                Part::Literal(literal.into(), finder)
            }
            None => Part::Wild(characters.collect()),
        }
    }

    /// What follows this part at the start of `text`.
    fn strip_start<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Part::Literal(literal, _) => text.strip_prefix(&**literal),
            Part::Wild(characters) => {
                let mut rest = text.chars();
                characters.iter().all(|want| same(*want, rest.next())).then_some(rest.as_str())
            }
        }
    }

    fn ends(&self, text: &str) -> bool {
        match self {
            Part::Literal(literal, _) => text.ends_with(&**literal),
            Part::Wild(characters) => {
                let mut rest = text.chars();
                characters.iter().rev().all(|want| same(*want, rest.next_back()))
            }
        }
    }

    /// Where the leftmost occurrence of this part ends.
    fn find_end(&self, text: &str) -> Option<usize> {
        match self {
            Part::Literal(literal, finder) => finder.find(text.as_bytes()).map(|start| start + literal.len()),
            Part::Wild(_) => text
                .char_indices()
                .map(|(start, _)| &text[start..])
                .find_map(|tail| self.strip_start(tail).map(|rest| text.len() - rest.len())),
        }
    }
}

fn same(want: Option<char>, have: Option<char>) -> bool {
    match (want, have) {
        (None, Some(_)) => true,
        (Some(want), Some(have)) => want == have,
        (_, None) => false,
    }
}
