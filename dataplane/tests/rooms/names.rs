//! What a source text names: read token by token, comments and literals left out.

/// A word or a sign of a source text, and the line it stands on.
pub type Token<'t> = (usize, &'t str);

/// Splits a source text. `::` is one token, other signs are one each.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let (mut tokens, mut line, mut at) = (Vec::new(), 1, 0);
    while let Some(c) = text[at..].chars().next() {
        let bytes = match c {
            '/' if text[at..].starts_with("//") => text[at..].find('\n').unwrap_or(text.len() - at),
            '/' if text[at..].starts_with("/*") => block_comment(&text[at..]),
            '"' => string(&text[at..]),
            'r' | 'b' | 'c' if let Some(bytes) = prefixed_string(&text[at..]) => bytes,
            '\'' => character(&text[at..]),
            _ if c.is_alphanumeric() || c == '_' => {
                let rest = &text[at..];
                let bytes = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                tokens.push((line, &rest[..bytes]));
                bytes
            }
            _ => {
                let bytes = if text[at..].starts_with("::") { 2 } else { c.len_utf8() };
                if !c.is_whitespace() {
                    tokens.push((line, &text[at..at + bytes]));
                }
                bytes
            }
        };
        line += text[at..at + bytes].matches('\n').count();
        at += bytes;
    }
    tokens
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        match &text[at..] {
            rest if rest.starts_with("/*") => (depth, at) = (depth + 1, at + 2),
            rest if rest.starts_with("*/") => (depth, at) = (depth - 1, at + 2),
            rest => at += rest.chars().next().map_or(0, char::len_utf8),
        }
        if depth == 0 || at == text.len() {
            return at;
        }
    }
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text[1..].find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// `r"…"`, `br#"…"#`, `b"…"`, `b'…'` and the like; `None` if it is a word.
fn prefixed_string(text: &str) -> Option<usize> {
    let letters = text.find(|c| !matches!(c, 'r' | 'b' | 'c'))?;
    let hashes = text[letters..].find(|c| c != '#')?;
    let begin = letters + hashes;
    match &text[begin..] {
        rest if rest.starts_with('"') && text[..letters].contains('r') => {
            let end = format!("\"{}", "#".repeat(hashes));
            Some(rest[1..].find(&end).map_or(text.len(), |at| begin + 1 + at + end.len()))
        }
        rest if hashes == 0 && rest.starts_with('"') => Some(begin + string(rest)),
        rest if hashes == 0 && rest.starts_with('\'') => Some(begin + character(rest)),
        _ => None,
    }
}

/// A character's literal, or the sign of a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text[1..].char_indices();
    match chars.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(text.len(), |end| end + 4),
        Some((_, c)) if chars.next().is_some_and(|(_, next)| next == '\'') => c.len_utf8() + 2,
        _ => 1,
    }
}

/// Every path from the crate's root that a file names, the file being the module
/// `module` (`["delivery", "lane"]` for `delivery/lane/mod.rs`).
pub fn paths(text: &str, module: &[&str]) -> Vec<(usize, Vec<String>)> {
    let tokens = tokens(text);
    let (mut named, mut depth) = (Vec::new(), 0);
    // Modules inside of the file, with the depth of braces at which each begins.
    let mut inner: Vec<(&str, usize)> = Vec::new();
    for (at, (line, token)) in tokens.iter().enumerate() {
        let word = |at: usize| tokens.get(at).map_or("", |(_, token)| *token);
        match *token {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inner.pop_if(|(_, begin)| *begin == depth);
            }
            "mod" if word(at + 2) == "{" => inner.push((word(at + 1), depth)),
            "crate" | "super" | "self"
                if word(at + 1) == "::" && at.checked_sub(1).is_none_or(|before| word(before) != "::") =>
            {
                let here = module.iter().copied().chain(inner.iter().map(|(name, _)| *name));
                let mut found = Vec::new();
                follow(&tokens, at, here.map(str::to_owned).collect(), &mut found);
                named.extend(found.into_iter().map(|path| (*line, path)));
            }
            _ => {}
        }
    }
    named
}

/// Follows one path from `at` on, into every branch of its braces; gives where it
/// ends.
fn follow(tokens: &[Token<'_>], mut at: usize, mut path: Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    loop {
        match tokens.get(at).map_or("", |(_, token)| *token) {
            "crate" => path.clear(),
            "super" => drop(path.pop()),
            "self" | "*" => {}
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|(_, token)| *token != "}") {
                    let comma = tokens[at].1 == ",";
                    at = if comma { at + 1 } else { follow(tokens, at, path.clone(), found) };
                }
                return at + 1;
            }
            word => path.push(word.to_owned()),
        }
        at += 1;
        if tokens.get(at).is_none_or(|(_, token)| *token != "::") {
            found.push(path);
            // `as` and its name.
            let renamed = tokens.get(at).is_some_and(|(_, token)| *token == "as");
            return if renamed { at + 2 } else { at };
        }
        at += 1;
    }
}

/// The lines on which `name`, such as `Instant::now`, stands.
pub fn lines_naming(tokens: &[Token<'_>], name: &str) -> Vec<usize> {
    let wanted: Vec<&str> = name.split("::").flat_map(|part| ["::", part]).skip(1).collect();
    let found = tokens
        .windows(wanted.len())
        .filter(|window| window.iter().map(|(_, token)| *token).eq(wanted.iter().copied()));
    found.map(|window| window[0].0).collect()
}
