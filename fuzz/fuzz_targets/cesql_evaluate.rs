//! Any expression over any event has a value: of bounded size, the same each
//! time and by each way to ask for it, the matcher included.
#![no_main]

use std::sync::Arc;

use eagre_filter::{
    Filter, Matcher,
    cesql::{CorrelationKeys, Expression, NoKeys, Output, evaluate},
    limits::TEXT_BYTES_MAX,
};
use eagre_fuzz::{Event, Input, utf8};
use libfuzzer_sys::fuzz_target;

/// Opens what is not sealed; has keys for every resource with a namespace.
struct Keys;

impl CorrelationKeys for Keys {
    fn opens(&self, _: &str, prefix: &str, sealed: &[u8], id: &[u8]) -> Result<bool, NoKeys> {
        if prefix.starts_with('.') { Err(NoKeys) } else { Ok(sealed == id) }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let keys: Option<&dyn CorrelationKeys> = if input.byte() % 2 == 1 { Some(&Keys) } else { None };
    let event = Event::read(&mut input);
    let text = utf8(input.0);

    let result = evaluate(text, &event, keys);
    let Ok(expression) = Expression::new(text) else {
        assert!(!result.passes());
        return;
    };
    assert_eq!(expression.evaluate(&event, keys), result);
    assert_eq!(expression.passes(&event, keys), result.passes());
    if let Output::String(value) = &result.value {
        assert!(value.len() <= TEXT_BYTES_MAX.max(event.longest()).max(text.len()));
    }

    let mut matcher = Matcher::new();
    if keys.is_some() {
        matcher = matcher.with_keys(Arc::new(Keys));
    }
    matcher.insert(3, &Filter::Cesql(text.into())).expect("it parses");
    let mut matched = Vec::new();
    matcher.matches(&event, &mut matched);
    assert_eq!(!matched.is_empty(), result.passes(), "{}", expression.tree());

    // The printed form means the same.
    let again = evaluate(&expression.tree().to_string(), &event, keys);
    assert_eq!(again.passes(), result.passes());
});
