//! `eagre filter`.

mod support;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Output, Stdio},
};

use eagre_filter::{Attributes, Matcher, Verdict, explain};
use serde_json::{Value, json};
use support::{eagre, output, text};
use tempfile::TempDir;

const EVENT: &str = r#"{"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.created",
    "tier": "gold", "amount": 120, "vip": true, "data": {"type": "not an attribute"}}"#;

/// Three triggers of two brokers; the subscribers are known to a cluster only.
const TRIGGERS: &str = "\
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: silver, namespace: shop}
spec:
  broker: orders
  filters:
  - exact: {type: order.created}
  - any:
    - exact: {tier: silver}
    - cesql: vip AND amount > 1000
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: silver}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: gold, namespace: shop}
spec:
  broker: orders
  filter: {attributes: {tier: gold}}
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: gold}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: all, namespace: shop}
spec:
  broker: archive
  subscriber: {uri: 'http://archive/'}
";

/// A folder with the event and the triggers in it.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("event.json"), EVENT).unwrap();
    fs::write(folder.path().join("triggers.yaml"), TRIGGERS).unwrap();
    folder
}

/// Runs `eagre filter` in `folder`, where file names are short.
fn filter(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = eagre();
    command.arg("filter").args(arguments).current_dir(folder).stdin(Stdio::null());
    command.output().expect("eagre starts")
}

fn cesql(folder: &TempDir, expression: &str, more: &[&str]) -> Output {
    filter(folder, &[&["test", "--cesql", expression, "--event", "event.json"], more].concat())
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

/// The only line of the output.
fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", text(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn an_expression_has_a_value_an_error_and_a_verdict() {
    let folder = folder();
    let table = [
        ("type = 'order.created'", json!(true), json!(null), true),
        ("type LIKE 'order.%' AND amount > 100", json!(true), json!(null), true),
        ("amount > 1000", json!(false), json!(null), false),
        ("-1 < amount", json!(true), json!(null), true),
        ("NOT EXISTS subject", json!(true), json!(null), true),
        ("amount + 1", json!(121), json!(null), false),
        ("UPPER(tier)", json!("GOLD"), json!(null), false),
        ("vip", json!(true), json!(null), true),
        ("subject = 'x'", json!(false), json!("missingAttribute"), false),
        ("INT(tier)", json!(0), json!("cast"), false),
        ("amount / 0", json!(0), json!("math"), false),
        ("NO_SUCH_FUNCTION()", json!(false), json!("missingFunction"), false),
        ("data = 1", json!(false), json!("missingAttribute"), false),
    ];
    for (expression, value, error, matches) in table {
        let output = cesql(&folder, expression, &["-o", "json"]);
        let expected = json!({"value": value, "error": error, "matches": matches});
        assert_eq!(json(&output), expected, "{expression}");
    }
}

#[test]
fn the_text_names_the_operand_that_did_not_hold() {
    let folder = folder();
    let output = cesql(&folder, "tier = 'gold' AND amount > 1000", &[]);
    assert_eq!(
        stdout(&output),
        "value    false\nerror    none\nmatches  no\nbecause  amount > 1000\n         \
         the result is false; amount = 120\n"
    );
    let output = cesql(&folder, "subject = 'x'", &[]);
    assert!(
        stdout(&output).contains("error    missingAttribute: the event has no attribute `subject`\n"),
        "{}",
        stdout(&output)
    );
    assert_eq!(stdout(&cesql(&folder, "tier", &[])).lines().next(), Some("value    \"gold\""));
}

#[test]
fn a_text_that_is_no_expression_is_shown_with_a_caret_at_the_mistake() {
    let folder = folder();
    let output = cesql(&folder, "tier = 'gold' AND AND", &[]);
    assert_eq!(output.status.code(), Some(65));
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).starts_with("--cesql:1:19: error: "), "{}", stderr(&output));
    let caret = format!("  1 | tier = 'gold' AND AND\n    | {}^\n", " ".repeat(18));
    assert!(stderr(&output).contains(&caret), "{}", stderr(&output));

    let output = cesql(&folder, "tier = 'gö'\nAND (", &[]);
    assert!(stderr(&output).starts_with("--cesql:2:6: error: "), "{}", stderr(&output));
    assert!(stderr(&output).contains("  2 | AND (\n    |      ^\n"), "{}", stderr(&output));

    let output = cesql(&folder, "", &[]);
    assert_eq!(output.status.code(), Some(65));
    assert!(stderr(&output).contains("empty"), "{}", stderr(&output));
}

/// Every line of the output, which need not be a success.
fn lines(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_cannot_be_judged_is_an_object_with_the_place_too() {
    let folder = folder();
    let output = cesql(&folder, "tier = 'gold'\nAND (", &["-o", "json"]);
    assert_eq!(output.status.code(), Some(65));
    let [object] = &lines(&output)[..] else { panic!("{}", text(&output)) };
    assert_eq!((&object["value"], &object["error"]), (&Value::Null, &json!("parse")));
    assert_eq!((&object["matches"], &object["path"]), (&json!(false), &json!("--cesql")));
    assert_eq!((&object["line"], &object["column"]), (&json!(2), &json!(6)));
    assert!(!object["message"].as_str().unwrap().is_empty() && !object["hint"].as_str().unwrap().is_empty());
    assert!(stderr(&output).starts_with("--cesql:2:6: error: "), "{}", stderr(&output));

    fs::write(folder.path().join("event.json"), "[]").unwrap();
    let output = cesql(&folder, "TRUE", &["-o", "json"]);
    assert_eq!(output.status.code(), Some(65));
    assert_eq!(lines(&output)[0]["error"], "event", "{}", text(&output));

    let broken = TRIGGERS.replace("vip AND amount > 1000", "vip AND AND").replace("tier: gold", "TIER: gold");
    fs::write(folder.path().join("triggers.yaml"), broken).unwrap();
    for command in ["test", "explain"] {
        let arguments = [command, "-f", "triggers.yaml", "--event", "event.json", "-o", "json"];
        let output = filter(&folder, &arguments);
        assert_eq!(output.status.code(), Some(78));
        let places: Vec<_> = lines(&output)
            .iter()
            .map(|object| {
                assert_eq!((&object["value"], &object["error"]), (&Value::Null, &json!("manifest")));
                object["line"].as_u64().unwrap()
            })
            .collect();
        assert_eq!(places, [10, 18], "{}", text(&output));
    }
}

#[test]
fn the_exit_code_tells_the_verdict_only_where_asked() {
    let folder = folder();
    for (expression, code) in [("vip", 0), ("NOT vip", 1), ("subject = 'x'", 1)] {
        assert_eq!(cesql(&folder, expression, &[]).status.code(), Some(0), "{expression}");
        assert_eq!(cesql(&folder, expression, &["--exit-code"]).status.code(), Some(code), "{expression}");
    }
    let file = ["test", "-f", "triggers.yaml", "--event", "event.json"];
    assert_eq!(filter(&folder, &file).status.code(), Some(0));
    assert_eq!(filter(&folder, &[&file[..], &["--exit-code"]].concat()).status.code(), Some(1));
}

#[test]
fn each_trigger_of_a_file_is_an_object_of_its_own() {
    let folder = folder();
    let output = filter(&folder, &["test", "-f", "triggers.yaml", "--event", "event.json", "-o", "json"]);
    let stop = |path, asks, has| json!({"path": path, "asks": asks, "has": has});
    assert_eq!(
        lines(&output),
        [
            json!({"namespace": "shop", "name": "all", "broker": "archive", "matches": true, "stops": []}),
            json!({"namespace": "shop", "name": "gold", "broker": "orders", "matches": true, "stops": []}),
            json!({"namespace": "shop", "name": "silver", "broker": "orders", "matches": false, "stops": [
                stop("filters[1].any[0].exact.tier", "tier is \"silver\"", "\"gold\""),
                stop("filters[1].any[1].cesql", "amount > 1000", "the result is false; amount = 120"),
            ]}),
        ]
    );
}

#[test]
fn explain_goes_through_a_folder_by_broker_and_counts() {
    let folder = folder();
    let output = filter(&folder, &["explain", "-f", ".", "--event", "event.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(
        stdout(&output),
        "\
broker shop/archive
  match     shop/all  (it asks for nothing)

broker shop/orders
  match     shop/gold
  no match  shop/silver
            filters[1].any[0].exact.tier
              asks: tier is \"silver\"
              has:  \"gold\"
            filters[1].any[1].cesql
              asks: amount > 1000
              has:  the result is false; amount = 120

2 of 3 triggers match
"
    );
    let output = filter(&folder, &["explain", "-f", ".", "--event", "event.json", "-o", "json"]);
    let document = json(&output);
    assert_eq!((&document["matching"], &document["total"]), (&json!(2), &json!(3)));
    assert_eq!(document["triggers"][2]["stops"][0]["path"], "filters[1].any[0].exact.tier");
}

#[test]
fn a_trigger_whose_broker_is_misspelt_is_warned_about() {
    let folder = folder();
    let broker =
        "apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: orders, namespace: shop}\n";
    fs::write(folder.path().join("broker.yaml"), broker).unwrap();
    let output = filter(&folder, &["explain", "-f", ".", "--event", "event.json"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("warning: trigger shop/all is not active"), "{}", stderr(&output));
    assert!(stdout(&output).contains("2 of 3 triggers match"));
}

/// Attributes of an event as a broker would have them after decoding it.
struct Plain<'v>(&'v Value);

impl Attributes for Plain<'_> {
    fn get(&self, name: &str) -> Option<eagre_filter::Value<'_>> {
        match &self.0[name] {
            Value::String(text) => Some(eagre_filter::Value::String(text)),
            Value::Number(number) => Some(eagre_filter::Value::Integer(number.as_i64()? as i32)),
            Value::Bool(truth) => Some(eagre_filter::Value::Boolean(*truth)),
            _ => None,
        }
    }
}

#[test]
fn the_verdict_is_that_of_the_brokers_matcher() {
    let folder = folder();
    let filters = [
        "[]",
        "[{}]",
        "[{exact: {type: order.created, tier: gold}}]",
        "[{prefix: {type: order.}}, {suffix: {type: .created}}]",
        "[{not: {exact: {tier: gold}}}]",
        "[{not: {any: []}}]",
        "[{any: [{exact: {tier: silver}}, {prefix: {source: /sh}}]}]",
        "[{all: [{exact: {amount: '120'}}, {not: {suffix: {subject: x}}}]}]",
        "[{cesql: 'vip AND amount > 100'}]",
        "[{cesql: 'subject = 1 OR vip'}]",
        "[{cesql: ''}]",
    ];
    let manifests: String = filters.iter().enumerate().map(|(n, filters)| format!(
        "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {{name: t{n}}}\nspec:\n  broker: b\n  \
         filters: {filters}\n  subscriber: {{uri: 'http://h/'}}\n---\n"
    )).collect();
    fs::write(folder.path().join("more.yaml"), manifests).unwrap();
    let read = eagre_controlplane::trigger_filters(&[folder.path().to_owned()]);
    assert_eq!(read.triggers.len(), 3 + filters.len(), "{:#?}", read.diagnostics);
    let mut matcher = Matcher::new();
    for (slot, trigger) in read.triggers.iter().enumerate() {
        matcher.insert(slot as u32, &trigger.filter).unwrap();
    }
    for extensions in [
        json!({}),
        json!({"tier": "gold", "amount": 120, "vip": true}),
        json!({"tier": "silver", "amount": 5, "vip": false, "subject": "x"}),
        json!({"tier": "gold", "amount": "120", "vip": "true", "subject": "1"}),
    ] {
        let mut event: Value =
            json!({"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.created"});
        event.as_object_mut().unwrap().extend(extensions.as_object().unwrap().clone());
        let mut slots = Vec::new();
        matcher.matches(&Plain(&event), &mut slots);
        fs::write(folder.path().join("event.json"), event.to_string()).unwrap();
        let output = filter(&folder, &["explain", "-f", ".", "--event", "event.json", "-o", "json"]);
        let document = json(&output);
        for (slot, trigger) in read.triggers.iter().enumerate() {
            let matches = slots.contains(&(slot as u32));
            let said = &document["triggers"][slot];
            assert_eq!(said["name"], trigger.name.as_str());
            assert_eq!(said["matches"], matches, "{said} {event}");
            assert_eq!(said["stops"].as_array().unwrap().is_empty(), matches, "{said} {event}");
            let verdict = explain(&trigger.filter, &Plain(&event), None).unwrap().verdict;
            assert_eq!(verdict != Verdict::Fail, matches, "{trigger:?} {event}");
        }
    }
}

#[test]
fn the_event_may_come_from_standard_input() {
    let folder = folder();
    let mut command = eagre();
    command.args(["filter", "explain", "-f", "triggers.yaml", "--event", "-"]).current_dir(&folder);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(EVENT.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(stdout(&output).ends_with("2 of 3 triggers match\n"), "{}", text(&output));
}

#[test]
fn what_is_no_event_is_refused_with_place_and_hint() {
    let folder = folder();
    let table = [
        ("{\"specversion\": \"1.0\",\n \"id\": }", "event.json:2:8: error: not valid JSON"),
        ("{\"specversion\": \"1.0\",\n", "event.json:1:23: error: not valid JSON"),
        ("", "event.json:1:1: error: not valid JSON"),
        ("[{}]", "event.json: error: a JSON array"),
        ("7", "event.json: error: not a JSON object"),
        ("{}", "event.json: error: not a CloudEvent: attribute specversion"),
        (
            r#"{"specversion": "1.0", "id": "1", "source": "/", "type": ""}"#,
            "event.json: error: not a CloudEvent: attribute type",
        ),
        (
            r#"{"specversion": "1.0", "id": "1", "source": "/", "type": "t", "knativebrokerttl": 1}"#,
            "event.json: error: no broker takes this event: knativebrokerttl",
        ),
    ];
    for (event, message) in table {
        fs::write(folder.path().join("event.json"), event).unwrap();
        let output = cesql(&folder, "TRUE", &[]);
        assert_eq!(output.status.code(), Some(65), "{event}: {}", text(&output));
        assert!(stderr(&output).starts_with(message), "{event}: {}", stderr(&output));
        assert!(stderr(&output).contains("= hint: "), "{event}: {}", stderr(&output));
    }
    fs::write(folder.path().join("event.json"), "{\"specversion\": \"1.0\",\n \"id\": }").unwrap();
    let output = cesql(&folder, "TRUE", &[]);
    assert!(stderr(&output).contains("  2 |  \"id\": }\n    |        ^\n"), "{}", stderr(&output));
}

#[test]
fn an_event_cannot_steer_the_terminal() {
    let folder = folder();
    let event = r#"{"specversion": "1.0", "id": "1", "source": "/", "type": "t\u001b[2J\nmatch  x/y"}"#;
    fs::write(folder.path().join("event.json"), event).unwrap();
    let trigger = TRIGGERS.replace("exact: {type: order.created}", "cesql: type");
    fs::write(folder.path().join("triggers.yaml"), trigger).unwrap();
    for arguments in [["test", "--cesql", "type"], ["explain", "-f", "."], ["test", "-f", "."]] {
        let output = filter(&folder, &[&arguments[..], &["--event", "event.json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        assert!(!stdout(&output).contains('\u{1b}'), "{}", stdout(&output));
        assert!(!stdout(&output).contains("\nmatch  x/y"), "{}", stdout(&output));
    }
}

#[test]
fn misuse_and_bad_input_have_codes_of_their_own() {
    let folder = folder();
    let bad = TRIGGERS.replace("vip AND amount > 1000", "vip AND");
    fs::write(folder.path().join("bad.yaml"), bad).unwrap();
    fs::write(folder.path().join("none.yaml"), "# nothing here\n").unwrap();
    let table: [(&[&str], i32, &str); 10] = [
        (&["test", "--event", "event.json"], 64, "--cesql"),
        (&["test", "--cesql", "vip", "-f", "triggers.yaml", "--event", "event.json"], 64, "--filename"),
        (&["test", "--cesql", "vip"], 64, "--event"),
        (&["explain", "--event", "event.json"], 64, "--filename"),
        (&["test", "--cesql", "vip", "--event", "missing.json"], 66, "missing.json: error: cannot be read"),
        (&["test", "--cesql", "vip", "--event", "."], 66, ".: error: cannot be read"),
        (&["test", "-f", "bad.yaml", "--event", "event.json"], 78, "bad.yaml:10:"),
        (&["explain", "-f", "missing", "--event", "event.json"], 78, "missing: error: cannot be read"),
        (&["explain", "-f", "none.yaml", "--event", "event.json"], 78, "holds no trigger"),
        (&["test", "-f", "none.yaml", "--event", "event.json"], 78, "holds no trigger"),
    ];
    for (arguments, code, message) in table {
        let output = filter(&folder, arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output));
        assert!(stderr(&output).contains(message), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{arguments:?}");
    }
}

#[test]
fn help_shows_examples_and_exit_codes() {
    let help = output(&["filter", "--help"]);
    assert!(help.status.success() && text(&help).contains("Examples:"));
    for command in ["test", "explain"] {
        let help = output(&["filter", command, "--help"]);
        assert!(help.status.success(), "{command}");
        assert!(text(&help).contains("Examples:") && text(&help).contains("Exit codes:"), "{command}");
    }
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/orders.yaml");
    let folder = folder();
    let output = filter(&folder, &["explain", "-f", example.to_str().unwrap(), "--event", "event.json"]);
    assert!(stdout(&output).ends_with("0 of 3 triggers match\n"), "{}", text(&output));
}
