//! What holds for any manifests.

use std::path::Path;

use eagre_controlplane::{
    load::{Loaded, load},
    manifest::duration,
    resolve::Resolver,
    source::files::{SourceFile, Sources},
};
use proptest::prelude::*;

/// A handful of brokers and triggers; some triggers are orphans. Each namespace
/// has a ConfigMap, which some brokers name.
fn documents() -> impl Strategy<Value = Vec<String>> {
    let broker = ("[ab]", "[a-d]", 0_u32..4, any::<bool>()).prop_map(|(namespace, name, retry, named)| {
        let key = format!("Broker/{namespace}/{name}");
        let config = if named { "config: {apiVersion: v1, kind: ConfigMap, name: c}, " } else { "" };
        let text = format!(
            "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {{namespace: {namespace}, name: {name}}}\n\
             spec: {{{config}delivery: {{retry: {retry}, deadLetterSink: {{uri: 'http://{name}/'}}}}}}\n"
        );
        (key, text)
    });
    let trigger = ("[ab]", "[a-h]", "[a-e]", "[x-z]").prop_map(|(namespace, name, broker, kind)| {
        let key = format!("Trigger/{namespace}/{name}");
        let text = format!(
            "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {{namespace: {namespace}, name: {name}}}\n\
             spec: {{broker: {broker}, subscriber: {{uri: 'http://{kind}/'}}, filters: [{{exact: {{type: {kind}}}}}]}}\n"
        );
        (key, text)
    });
    let config_map = |namespace: &'static str| {
        (1..=60_000_u32, 8..=1024_u32).prop_map(move |(ms, mib)| {
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{namespace: {namespace}, name: c}}\n\
                 data: {{eagre.fsync: 'interval:{ms}', eagre.backlog.max-bytes: {mib}Mi}}\n"
            )
        })
    };
    let objects = proptest::collection::btree_map(any::<u16>(), prop_oneof![broker, trigger], 0..24);
    (objects, config_map("a"), config_map("b")).prop_map(|(drawn, a, b)| {
        // One document a name: duplicates are an error by design.
        let unique: std::collections::BTreeMap<_, _> = drawn.into_values().collect();
        unique.into_values().chain([a, b]).collect()
    })
}

fn loaded(files: &[Vec<String>]) -> Loaded {
    let file = |(number, documents): (usize, &Vec<String>)| SourceFile {
        path: Path::new(&format!("{number:02}.yaml")).into(),
        text: documents.join("---\n") + "# end\n",
    };
    let sources = Sources { files: files.iter().enumerate().map(file).collect(), problems: Vec::new() };
    load(&sources, &Resolver::new("http://127.0.0.1:8080").unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_the_same_documents_gives_the_same_snapshot(
        (ordered, shuffled) in documents().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        cut in any::<proptest::sample::Index>(),
    ) {
        let expected = loaded(std::slice::from_ref(&ordered)).snapshot;
        prop_assert!(expected.is_some());
        let (first, second) = shuffled.split_at(cut.index(shuffled.len() + 1));
        prop_assert_eq!(&loaded(&[first.to_vec(), second.to_vec()]).snapshot, &expected);
        prop_assert!(expected.unwrap().validate().is_ok());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "([ \\-:{}\\[\\],&*!|>'\"#\n]|kind|Broker|ConfigMap|spec|config|data|eagre.fsync|5ms|apiVersion|a|1|eventing.knative.dev/v1){0,60}") {
        for diagnostic in loaded(&[vec![text]]).diagnostics {
            // Shown with its line and caret, wherever it points.
            prop_assert!(!diagnostic.to_string().is_empty());
        }
    }

    #[test]
    fn a_duration_of_seconds_keeps_its_value(nanos in 0_u64..1_000_000_000_000_000) {
        let text = format!("PT{}.{:09}S", nanos / 1_000_000_000, nanos % 1_000_000_000);
        prop_assert_eq!(duration::parse(&text).unwrap().as_nanos(), u128::from(nanos));
    }

    #[test]
    fn no_duration_text_makes_the_parser_panic(text in "[-+PT0-9.,YMWDHSé]{0,40}") {
        let _ = duration::parse(&text);
    }
}
