//! Bad manifests: each mistake is reported once, at its line and column, in
//! words that tell how to mend it.
//!
//! In the texts below `§` stands where the remark must point; it is taken out
//! before the text is read.

use std::path::{Path, PathBuf};

use eagre_controlplane::{
    Diagnostic, Severity, check,
    load::{Loaded, load},
    resolve::Resolver,
    source::files::{SourceFile, Sources},
};

fn read(text: &str) -> Loaded {
    let file = SourceFile { path: Path::new("shop.yaml").into(), text: text.to_owned() };
    let resolver = Resolver::new("http://127.0.0.1:8080").unwrap();
    load(&Sources { files: vec![file], problems: Vec::new() }, &resolver)
}

/// Takes the `§` out of a text: the rest, and its line and column.
fn unmark(marked: &str) -> (String, usize, usize) {
    let (before, after) = marked.split_once('§').expect("a § in the text");
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (format!("{before}{after}"), line, column)
}

/// Expects one remark of `severity` at the mark, and nothing else at that level.
#[track_caller]
fn expect(severity: Severity, marked: &str, message: &str) -> Diagnostic {
    let (text, line, column) = unmark(marked);
    let loaded = read(&text);
    let found: Vec<_> = loaded.diagnostics.iter().filter(|d| d.severity == severity).collect();
    assert_eq!(found.len(), 1, "for:\n{text}\nfound: {found:#?}");
    let diagnostic = found[0];
    assert!(diagnostic.message.contains(message), "expected `{message}` in: {diagnostic}");
    assert_eq!((diagnostic.line, diagnostic.column), (line, column), "{diagnostic}");
    assert_eq!(diagnostic.source, text.lines().nth(line - 1).unwrap());
    assert_eq!(loaded.snapshot.is_none(), severity == Severity::Error);
    diagnostic.clone()
}

#[track_caller]
fn error(marked: &str, message: &str) -> Diagnostic {
    expect(Severity::Error, marked, message)
}

#[track_caller]
fn warning(marked: &str, message: &str) -> Diagnostic {
    expect(Severity::Warning, marked, message)
}

/// A valid broker `default/b`, then `rest`.
fn after_broker(rest: &str) -> String {
    format!("apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {{name: b}}\n---\n{rest}")
}

/// Broker `default/b` whose ConfigMap has this data, in flow style.
fn settings(data: &str) -> String {
    format!(
        "{}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{{data}}}\n",
        with_config("")
    )
}

/// Broker `default/b` whose config is ConfigMap `c`, with more of the reference in flow style.
fn with_config(more: &str) -> String {
    format!(
        "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {{name: b}}\nspec:\n  config: \
         {{apiVersion: v1, kind: ConfigMap, name: c{more}}}\n"
    )
}

/// A trigger with these lines in its spec, indented by two, and a subscriber.
fn trigger(spec: &str) -> String {
    after_broker(&format!(
        "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {{name: t}}\nspec:\n  broker: b\n  \
         subscriber: {{uri: 'http://h/'}}\n{spec}"
    ))
}

/// A broker with this delivery in flow style.
fn delivery(fields: &str) -> String {
    format!(
        "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {{name: b}}\nspec:\n  delivery: {{{fields}}}\n"
    )
}

#[test]
fn text_that_is_no_yaml_is_refused() {
    error("a: 1\nb: [1, 2\nc§: 3\n", "not valid YAML");
    error("a: 1\n§a: 2\n", "`a` is given twice");
    error("a: §*missing\n", "not valid YAML");
}

#[test]
fn a_document_that_is_no_object_is_refused() {
    error("§- a\n- b\n", "`document` must be a mapping, not a list");
    error("§kind: Broker\nmetadata: {name: b}\n", "`apiVersion` is missing");
    error("§apiVersion: eventing.knative.dev/v1\nmetadata: {name: b}\n", "`kind` is missing");
    error("apiVersion: §1\nkind: Broker\n", "`apiVersion` must be a string, not an integer");
    error("apiVersion: v1\nkind: List\nitems: §{}\n", "`items` must be a list, not a mapping");
}

#[test]
fn a_wrong_api_version_is_refused_with_the_right_one() {
    let found = error(
        "apiVersion: §eventing.knative.dev/v1beta1\nkind: Broker\nmetadata: {name: b}\n",
        "version v1beta1 of Broker is not served",
    );
    assert_eq!(found.hint, "write eventing.knative.dev/v1");
    error("apiVersion: §v1\nkind: Trigger\nmetadata: {name: t}\n", "Trigger is not of API version v1");
    error(
        "apiVersion: §eventing/v1\nkind: Broker\nmetadata: {name: b}\n",
        "Broker is not of API version eventing/v1",
    );
}

#[test]
fn a_misspelt_kind_of_our_group_is_refused() {
    let found = error("apiVersion: eventing.knative.dev/v1\nkind: §Triger\n", "has no kind Triger");
    assert_eq!(found.hint, "did you mean Trigger?");
}

#[test]
fn bad_metadata_is_refused() {
    let object = "apiVersion: eventing.knative.dev/v1\nkind: Broker\n";
    error(&format!("§{object}"), "`metadata` is missing");
    error(&format!("{object}metadata: §{{}}\n"), "`metadata.name` is missing");
    error(&format!("{object}metadata: {{name: §''}}\n"), "`metadata.name` is empty");
    error(&format!("{object}metadata: {{name: §12}}\n"), "`metadata.name` must be a string, not an integer");
    error(&format!("{object}metadata: {{name: §Orders}}\n"), "`metadata.name` is not a valid name: `Orders`");
    error(
        &format!("{object}metadata: {{name: b, namespace: §a.b}}\n"),
        "`metadata.namespace` is not a valid name",
    );
    error(
        &format!("{object}metadata: {{§generateName: b-}}\n"),
        "`metadata.generateName` needs an API server",
    );
}

#[test]
fn an_object_defined_twice_is_refused_at_the_second() {
    let found = error(
        &after_broker("apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata:\n  name: §b\n"),
        "Broker default/b is also defined at shop.yaml:3:18",
    );
    assert_eq!(found.hint, "remove or rename one of the two");
    let uids = "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: a, uid: x}\n---\napiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: c, uid: §x}\n";
    error(uids, "UID x is also that of the object at shop.yaml:3:26");
}

#[test]
fn a_trigger_needs_broker_and_subscriber() {
    let trigger = |spec: &str| {
        after_broker(&format!(
            "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {{name: t}}\n{spec}"
        ))
    };
    let (text, _, _) = unmark(&trigger("§"));
    let found = read(&text);
    assert_eq!(
        found.errors().map(|d| (d.line, d.column, d.message.as_str())).collect::<Vec<_>>(),
        [(5, 1, "`spec` is missing")]
    );
    error(&trigger("spec:\n  §subscriber: {uri: 'http://h/'}\n"), "`spec.broker` is missing");
    error(&trigger("spec:\n  §broker: b\n"), "`spec.subscriber` is missing");
    let reference = |broker: &str| {
        let kind = "apiVersion: eventing.knative.dev/v1, kind: Broker";
        trigger(&format!(
            "spec:\n  {broker}{{{kind}, name: b, namespace: o}}\n  subscriber: {{uri: 'http://h/'}}\n"
        ))
    };
    error(&reference("brokerRef: §"), "broker o/b is in another namespace");
    error(&reference("broker: b\n  brokerRef: §"), "`spec` has both `broker` and `brokerRef`");
    error(
        &trigger(
            "spec:\n  brokerRef: §{apiVersion: v1, kind: Service, name: b}\n  subscriber: {uri: 'http://h/'}\n",
        ),
        "`spec.brokerRef` cannot be a Service of v1",
    );
    error(&trigger("spec: §[]\n"), "`spec` must be a mapping, not a list");
}

#[test]
fn a_destination_without_an_address_is_refused() {
    let to = |destination: &str| {
        after_broker(&format!(
            "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {{name: t}}\nspec:\n  broker: b\n  subscriber: {destination}\n"
        ))
    };
    error(&to("§{}"), "`spec.subscriber` has neither `ref` nor `uri`");
    error(&to("§http://h/"), "`spec.subscriber` must be a mapping, not a string");
    let found = error(&to("{uri: §'localhost:8080'}"), "is not absolute: `localhost:8080`");
    assert_eq!(found.hint, "write http://localhost:8080");
    error(&to("{uri: §/orders}"), "is not absolute: `/orders`");
    error(&to("{uri: §'https://h/'}"), "TLS to subscribers is not available");
    error(&to("{uri: §'http://u:p@h/'}"), "user name or password");
    error(&to("{uri: §'http://h:99999/'}"), "is not a URI");
    error(&to("{ref: §{apiVersion: v1, kind: Service}}"), "`spec.subscriber.ref.name` is missing");
    error(
        &to("{ref: {apiVersion: v1, kind: Service, name: §A}}"),
        "`spec.subscriber.ref.name` is not a valid name",
    );
    error(
        &to("{ref: {apiVersion: v1, kind: Service, name: a}, uri: §'http://h/'}"),
        "`spec.subscriber.uri` must be relative",
    );
    let found = error(
        &to("{ref: §{apiVersion: serving.knative.dev/v1, kind: Service, name: a}}"),
        "the address of Service a (serving.knative.dev/v1) is not known",
    );
    assert_eq!(found.hint, "give its address with `uri`");
    error(
        &to("{ref: §{apiVersion: eventing.knative.dev/v1, kind: Broker, name: nobody}}"),
        "there is no broker default/nobody",
    );
}

#[test]
fn bad_delivery_settings_are_refused() {
    error(&delivery("retry: §-1"), "`spec.delivery.retry` is negative");
    error(&delivery("retry: §'3'"), "`spec.delivery.retry` must be an integer, not a string");
    error(&delivery("retry: §1.5"), "`spec.delivery.retry` must be an integer, not a number");
    error(&delivery("retry: §70000"), "`spec.delivery.retry` is more than 65536");
    let found = error(
        &delivery("backoffPolicy: §Linear, backoffDelay: PT1S"),
        "`spec.delivery.backoffPolicy` cannot be `Linear`",
    );
    assert_eq!(found.hint, "write `linear` or `exponential`");
    let found = error(
        &delivery("backoffPolicy: linear, backoffDelay: §200ms"),
        "an ISO 8601 duration begins with `P`",
    );
    assert_eq!(found.hint, "write PT0.2S");
    error(
        &delivery("backoffPolicy: linear, backoffDelay: §5"),
        "`spec.delivery.backoffDelay` must be a string, not an integer",
    );
    error(&delivery("backoffPolicy: linear, backoffDelay: §PT1S1M"), "`M` is no unit here");
    error(&delivery("timeout: §PT0S"), "`spec.delivery.timeout` is zero");
    error(&delivery("timeout: §P9Y"), "the duration is longer than 366 days");
    error(&delivery("retryAfterMax: §-PT1S"), "the duration is negative");
    error(&delivery("format: §JSON"), "`spec.delivery.format` cannot be `JSON`");
    error(&delivery("deadLetterSink: {uri: §'/dead'}"), "`spec.delivery.deadLetterSink.uri` is not absolute");
}

#[test]
fn a_config_that_is_no_config_map_is_refused() {
    let config = |config: &str| {
        format!(
            "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {{name: b}}\nspec:\n  config: {config}\n"
        )
    };
    let found = error(
        &config("§{apiVersion: rabbitmq.com/v1beta1, kind: RabbitmqBrokerConfig, name: c}"),
        "`spec.config` cannot be a RabbitmqBrokerConfig of rabbitmq.com/v1beta1",
    );
    assert!(found.hint.starts_with("name a ConfigMap with `apiVersion: v1`"), "{found}");
    error(&config("§{apiVersion: v1, kind: Secret, name: c}"), "cannot be a Secret of v1");
    error(&config("§{apiVersion: v2, kind: ConfigMap, name: c}"), "cannot be a ConfigMap of v2");
    let found = error(&config("§{kind: ConfigMap, name: c}"), "`spec.config.apiVersion` is missing");
    assert!(found.hint.starts_with("name a ConfigMap"), "{found}");
    error(&config("§c"), "`spec.config` must be a mapping, not a string");
    error(&config("{apiVersion: v1, kind: ConfigMap, name: §C}"), "`spec.config.name` is not a valid name");
}

#[test]
fn a_broker_whose_config_map_is_missing_is_refused() {
    let missing = with_config("").replace("config: ", "config: §");
    let found = error(&missing, "there is no ConfigMap default/c");
    assert!(found.hint.starts_with("add it"), "{found}");
    // It is looked for in the broker's namespace, and only there.
    let elsewhere = settings("").replace("{name: c}", "{name: c, namespace: other}");
    error(&elsewhere.replace("config: ", "config: §"), "there is no ConfigMap default/c");
    let named = with_config(", namespace: far").replace("config: ", "config: §");
    error(&named, "there is no ConfigMap far/c");
}

#[test]
fn bad_values_of_settings_are_refused() {
    let modes = "write always, never, interval:MS, or a duration such as 5ms";
    for (text, problem) in [
        ("sometimes", "neither a mode nor a duration"),
        ("''", "neither a mode nor a duration"),
        ("Always", "neither a mode nor a duration"),
        ("interval", "neither a mode nor a duration"),
        ("'interval:'", "neither a mode nor a duration"),
        ("'interval:5ms'", "neither a mode nor a duration"),
        ("'interval:0'", "an interval must be between 1ms and 1m"),
        ("0ms", "an interval must be between 1ms and 1m"),
        ("'5'", "neither a mode nor a duration"),
        ("2m", "an interval must be between 1ms and 1m"),
    ] {
        let message = format!("`data.eagre.fsync` cannot be `{}`: {problem}", text.trim_matches('\''));
        assert_eq!(error(&settings(&format!("eagre.fsync: §{text}")), &message).hint, modes);
    }
    let path = "`data.eagre.backlog.max-bytes`";
    for (text, problem) in [
        ("lots", "not a size"),
        ("1.5Gi", "not a size"),
        ("1GB", "not a size"),
        ("'-1'", "not a size"),
        ("7Mi", "must be between 8MiB and 1PiB"),
        ("'8388607'", "must be between 8MiB and 1PiB"),
        ("2Pi", "must be between 8MiB and 1PiB"),
    ] {
        let message = format!("{path} cannot be `{}`: {problem}", text.trim_matches('\''));
        let found = error(&settings(&format!("eagre.backlog.max-bytes: §{text}")), &message);
        assert!(found.hint.contains("512Mi"), "{found}");
    }
    let found = error(
        &settings("eagre.backlog.max-bytes: §1073741824"),
        &format!("{path} must be a string, not an integer"),
    );
    assert_eq!(found.hint, "put it in quotes");
    error(&settings("eagre.fsync: §null"), "`data.eagre.fsync` must be a string, not nothing");
    error(&settings("").replace("data: {}", "data: §[]"), "`data` must be a mapping, not a list");
}

#[test]
fn an_unknown_setting_of_ours_is_refused() {
    assert_eq!(
        error(&settings("§eagre.fsnyc: always"), "there is no setting `eagre.fsnyc`").hint,
        "did you mean `eagre.fsync`?"
    );
    assert_eq!(
        error(&settings("§eagre.retention: 1d"), "there is no setting `eagre.retention`").hint,
        "settings of class Eagre: eagre.fsync, eagre.backlog.max-bytes"
    );
}

#[test]
fn keys_of_other_classes_have_no_effect() {
    let data = "§channel-template-spec: {}, eagre.fsync: never, bootstrap.servers: 1";
    let found = warning(
        &settings(data),
        "no effect on brokers of class Eagre: `channel-template-spec`, `bootstrap.servers`",
    );
    assert_eq!(found.hint, "settings of class Eagre: eagre.fsync, eagre.backlog.max-bytes");
    let many: Vec<_> = (0..100).map(|number| format!("k{number}: v")).collect();
    assert!(warning(&settings(&format!("§{}", many.join(", "))), "`k7` and 92 more").message.len() < 120);
    assert_eq!(
        warning(&settings("§fsync: never"), "`data.fsync` has no effect").hint,
        "did you mean `eagre.fsync`?"
    );
    warning(&(settings("") + "binaryData: §{eagre.fsync: YQ==}\n"), "`binaryData` is not read");
    warning(&(settings("") + "§dta: {}\n"), "has no field `dta`");
    // Documentation, by a habit of Knative.
    assert_eq!(read(&settings("_example: 'eagre.fsync: always'")).diagnostics, []);
}

#[test]
fn a_config_map_is_judged_once_and_only_if_a_broker_of_ours_names_it() {
    let config = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {eagre.fsync: x, y: z}\n";
    let twice = config.to_owned() + config;
    assert_eq!(read(&twice).diagnostics, []);
    assert_eq!(read(&after_broker(&twice[4..])).diagnostics, []);
    let kafka = with_config("")
        .replace("{name: b}", "{name: b, annotations: {eventing.knative.dev/broker.class: Kafka}}");
    let severities = |text: &str| read(text).diagnostics.iter().map(|d| d.severity).collect::<Vec<_>>();
    assert_eq!(severities(&(kafka + config)), [Severity::Info]);
    let two = with_config("") + "---\n" + &with_config("").replace("{name: b}", "{name: a}");
    assert_eq!(severities(&(two + config)), [Severity::Error, Severity::Warning]);
    error(
        &(settings("") + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: §c}\n"),
        "ConfigMap default/c is also defined at shop.yaml:9:18",
    );
}

#[test]
fn bad_filters_are_refused_at_their_position() {
    error(&trigger("  filters: §{exact: {type: a}}\n"), "`spec.filters` must be a list, not a mapping");
    error(&trigger("  filters:\n  - §exact\n"), "`spec.filters[0]` must be a mapping, not a string");
    let found = error(
        &trigger("  filters:\n  - exact: {type: a}\n  - any:\n    - §exat: {type: a}\n"),
        "`spec.filters[1].any[0]` has an unknown dialect `exat`",
    );
    assert_eq!(found.hint, "did you mean `exact`?");
    error(&trigger("  filters:\n  - §sql: 'true'\n"), "unknown dialect `sql`");
    error(
        &trigger("  filters:\n  - exact: {type: a}\n    prefix: §{type: b}\n"),
        "`spec.filters[0]` has two dialects, `exact` and `prefix`",
    );
    error(
        &trigger("  filters:\n  - exact: {qty: §5}\n"),
        "`spec.filters[0].exact.qty` must be a string, not an integer",
    );
    error(&trigger("  filters:\n  - not: §[]\n"), "`spec.filters[0].not` must be a mapping, not a list");
    error(
        &trigger("  filters:\n  - all:\n    - not:\n        suffix: {§s-pace: b}\n"),
        "`spec.filters[0].all[0].not.suffix`",
    );
    error(&trigger("  filter: {attributes: {§Type: a}}\n"), "`spec.filter.attributes`");
    error(
        &trigger("  filter: {attributes: {type: §true}}\n"),
        "`spec.filter.attributes.type` must be a string, not a Boolean",
    );
}

#[test]
fn a_mistake_in_an_expression_is_shown_inside_it() {
    let (text, line, column) = unmark(&trigger("  filters:\n  - cesql: §type = = 'a'\n"));
    let loaded = read(&text);
    let found: Vec<_> = loaded.errors().collect();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].line, line);
    assert!(found[0].column > column, "{}", found[0]);
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let found = warning(&delivery("§retires: 3"), "`spec.delivery` has no field `retires`");
    assert!(found.hint.contains("retry"), "{found}");
    assert_eq!(
        warning(&delivery("§Retry: 3"), "`spec.delivery` has no field `Retry`").hint,
        "did you mean `retry`?"
    );
    warning(&delivery("§backoffDelay: PT1S"), "has no effect without `backoffPolicy`");
    warning(&delivery("§backoffPolicy: linear"), "has no effect without `backoffDelay`");
    warning(&trigger("  §filtres: []\n"), "`spec` has no field `filtres`");
    warning(
        &trigger("  filter: §{attributes: {type: a}}\n  filters: [{exact: {type: b}}]\n"),
        "`spec.filter` has no effect",
    );
    warning(
        "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: b}\n§sepc: {}\n",
        "`object` has no field `sepc`",
    );
    let found = warning(
        "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: t}\nspec:\n  broker: §gone\n  subscriber: {uri: 'http://h/'}\n",
        "trigger default/t is not active: there is no broker default/gone",
    );
    assert!(found.hint.contains("share a namespace"));
}

#[test]
fn an_annotation_of_ours_that_does_nothing_yet_is_a_warning() {
    let text = "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata:\n  name: b\n  annotations:\n    \
                §eagre.eventing.knative.dev/paused: 'true'\n    other/annotation: 1\n";
    warning(text, "annotation `eagre.eventing.knative.dev/paused` has no effect");
}

#[test]
fn kinds_of_later_versions_are_named_once() {
    let channels = "apiVersion: messaging.knative.dev/v1\nkind: §Channel\nmetadata: {name: a}\n---\napiVersion: messaging.knative.dev/v1\nkind: Channel\nmetadata: {name: b}\n";
    warning(channels, "kind Channel of messaging.knative.dev is not in this version");
    warning("apiVersion: eventing.knative.dev/v1beta2\nkind: §EventType\n", "kind EventType");
}

#[test]
fn what_stands_next_to_brokers_is_no_matter() {
    let text = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\napiVersion: apps/v1\nkind: Deployment\n---\n\
                apiVersion: v1\nkind: ConfigMap\ndata: {1: x}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: A}\ndata: []\n---\napiVersion: serving.knative.dev/v1\nkind: Service\n";
    assert_eq!(read(text).diagnostics, []);
    let other = read("apiVersion: triggers.tekton.dev/v1beta1\nkind: Trigger\nmetadata: {name: a}\n");
    assert_eq!(other.diagnostics.iter().map(|d| d.severity).collect::<Vec<_>>(), [Severity::Info]);
}

#[test]
fn brokers_of_another_class_are_left_alone_with_their_triggers() {
    let text = "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata:\n  name: b\n  annotations: {eventing.knative.dev/broker.class: §Kafka}\nspec: {delivery: {retry: never}}\n---\n\
                apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: t}\nspec:\n  broker: b\n  subscriber: {uri: 'https://h/'}\n";
    let found =
        expect(Severity::Info, text, "broker default/b and its trigger left alone: its class is `Kafka`");
    assert_eq!(found.hint, "Eagre serves class `Eagre`");
    let (text, _, _) = unmark(text);
    let snapshot = read(&text).snapshot.unwrap();
    assert!(snapshot.brokers.is_empty() && snapshot.triggers.is_empty());
}

#[test]
fn every_mistake_of_a_file_is_reported_in_order() {
    let text = "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: B}\nspec:\n  delivery:\n    retry: -1\n    timeout: 5s\n---\n\
                apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: t}\nspec:\n  filters: [{exact: {type: 1}}]\n  subscriber: {}\n";
    let loaded = read(text);
    let places: Vec<_> = loaded.errors().map(|d| (d.line, d.column)).collect();
    assert_eq!(places, [(3, 18), (6, 12), (7, 14), (13, 3), (13, 28), (14, 15)], "{:#?}", loaded.diagnostics);
}

#[test]
fn a_broker_that_cannot_be_read_is_not_called_missing() {
    let text = trigger("").replacen("name: b}", "nmae: b}", 1);
    let loaded = read(&text);
    let messages: Vec<_> = loaded.diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(messages, ["`metadata.name` is missing"]);
}

#[test]
fn a_path_that_cannot_be_read_is_an_error_without_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing.yaml");
    let empty = dir.path().join("empty.yaml");
    let latin = dir.path().join("latin.yaml");
    std::fs::write(&empty, "").unwrap();
    std::fs::write(&latin, b"a: \xe4\n").unwrap();
    for (path, hint) in [(missing, "check the path"), (empty, "remove it"), (latin, "save it as UTF-8")] {
        let report = check(&[PathBuf::from(&path)]);
        assert_eq!(report.diagnostics.len(), 1, "{report}");
        let found = &report.diagnostics[0];
        assert_eq!((found.severity, found.line, &found.path), (Severity::Error, 0, &path));
        assert!(found.hint.contains(hint), "{found}");
    }
}

#[test]
fn a_mistake_in_a_config_map_is_shown_in_its_own_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("z-settings.yaml");
    std::fs::write(dir.path().join("broker.yaml"), with_config("")).unwrap();
    let config_map =
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\ndata:\n  eagre.fsync: 5 minutes\n";
    std::fs::write(&path, config_map).unwrap();
    let report = check(&[dir.path().to_owned()]);
    let expected = format!(
        "{}:6:16: error: `data.eagre.fsync` cannot be `5 minutes`: neither a mode nor a duration\n    |\n  6 |   \
         eagre.fsync: 5 minutes\n    |                ^\n    = hint: write always, never, interval:MS, or a duration such as 5ms\n",
        path.display()
    );
    assert!(report.to_string().starts_with(&expected), "{report}");
    assert_eq!((report.files, report.diagnostics.len()), (2, 1));
}

#[test]
fn a_report_is_text_for_people_and_data_for_programs() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("b.yaml");
    std::fs::write(&path, delivery("retry: -1")).unwrap();
    let report = check(std::slice::from_ref(&path));
    assert!(!report.is_ok());
    let text = report.to_string();
    let expected = format!(
        "{}:5:21: error: `spec.delivery.retry` is negative\n    |\n  5 |   delivery: {{retry: -1}}\n    |                     ^\n    = hint: ",
        path.display()
    );
    assert!(text.starts_with(&expected), "{text}");
    assert!(text.ends_with("1 file: 1 error, 0 warnings"), "{text}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["diagnostics"][0]["severity"], "error");
    assert_eq!((&json["diagnostics"][0]["line"], &json["diagnostics"][0]["column"]), (&5.into(), &21.into()));
}
