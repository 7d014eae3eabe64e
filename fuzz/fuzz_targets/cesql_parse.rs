//! An expression that parses prints as an expression with the same tree, and
//! the same text again; a refusal can be shown and points into the text.
#![no_main]

use eagre_filter::{cesql::parse, limits::EXPRESSION_BYTES_MAX};
use eagre_fuzz::utf8;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = utf8(data);
    match parse(text) {
        Ok(tree) => {
            let printed = tree.to_string();
            // Parentheses and blanks may make a text of the largest size larger.
            if printed.len() <= EXPRESSION_BYTES_MAX {
                let again = parse(&printed).unwrap_or_else(|refusal| panic!("{}", refusal.show(&printed)));
                assert_eq!(again, tree, "{printed}");
                assert_eq!(again.to_string(), printed);
            }
        }
        Err(refusal) => {
            assert!((1..=text.chars().count() + 1).contains(&refusal.column(text)));
            assert!(!refusal.show(text).is_empty());
        }
    }
});
