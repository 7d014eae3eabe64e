//! JSON laid out for reading: the same tokens in the same order, only the space between
//! them is new. Numbers keep every digit.

use serde_json::value::RawValue;

/// Nesting that is still indented; deeper, lines would be mostly space.
const INDENT_MAX: usize = 32;

/// `text` with a line for each member and element; `None` if it is not JSON.
pub fn indented(text: &[u8]) -> Option<String> {
    let json = serde_json::from_slice::<&RawValue>(text).ok()?.get();
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    let mut rest = json.chars().peekable();
    while let Some(character) = rest.next() {
        if in_string {
            out.push(character);
            in_string = is_escaped || character != '"';
            is_escaped = !is_escaped && character == '\\';
            continue;
        }
        match character {
            '{' | '[' => {
                out.push(character);
                while rest.next_if(char::is_ascii_whitespace).is_some() {}
                match rest.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => {
                        depth += 1;
                        new_line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(character);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            space if space.is_ascii_whitespace() => {}
            other => {
                in_string = other == '"';
                out.push(other);
            }
        }
    }
    Some(out)
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth.min(INDENT_MAX)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_keep_their_bytes_and_order() {
        let text = r#" { "b":1.50 , "a" : "x, \"{y}\" \\" ,"e":{ },"l":[1,[ ]]}"#;
        let expected = "{\n  \"b\": 1.50,\n  \"a\": \"x, \\\"{y}\\\" \\\\\",\n  \"e\": {},\n  \"l\": [\n    1,\n    []\n  ]\n}";
        assert_eq!(indented(text.as_bytes()).as_deref(), Some(expected));
    }

    #[test]
    fn what_is_no_json_is_left_alone() {
        assert_eq!(indented(b"hello"), None);
        assert_eq!(indented(b"{} {}"), None);
        assert_eq!(indented(b""), None);
    }
}
