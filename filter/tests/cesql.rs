//! The language: the table of cases, and what holds of every expression.

mod common;

use common::Event;
use eagre_filter::cesql::{self, Binary, ErrorKind, Expr, Expression, Output, Unary};
use proptest::prelude::*;

fn event() -> Event {
    Event::default()
        .with("id", "1")
        .with("source", "/shop/eu")
        .with("type", "com.ex.order.created")
        .with("specversion", "1.0")
        .with("time", "2026-01-02T03:04:05Z")
        .with("tier", "gold")
        .with("qty", 5)
        .with("zero", 0)
        .with("low", i32::MIN)
        .with("active", true)
        .with("off", false)
        .with("count", "12")
        .with("neg", "-7")
        .with("yes", "TRUE")
        .with("no", "false")
        .with("empty", "")
        .with("text", "Grüße, 世界")
        .with("thumb", "👍🏽")
        .with("percent", "50%")
        .with("under", "a_b")
        .with("back", r"a\b")
        .with("quote", "it's")
        .with("max", "2147483647")
        .with("over", "2147483648")
        .with("1st", "one")
}

/// One line of the table: expression, value, and the name of the error.
fn case(line: &str) -> (&str, Output, Option<&str>) {
    let (expression, expected) = line.rsplit_once(" => ").expect("a case has an arrow");
    let (value, error) = match expected.rsplit_once(" ! ") {
        Some((value, error)) => (value, Some(error)),
        None => (expected, None),
    };
    let value = match value {
        "true" => Output::Boolean(true),
        "false" => Output::Boolean(false),
        text if text.starts_with('\'') => Output::String(text[1..text.len() - 1].into()),
        number => Output::Integer(number.parse().expect("a value is a Boolean, an integer or a string")),
    };
    (expression, value, error)
}

fn cases() -> impl Iterator<Item = (&'static str, Output, Option<&'static str>)> {
    include_str!("cesql.cases").lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(case)
}

#[test]
fn every_case_of_the_table_holds() {
    let (event, mut count, mut wrong) = (event(), 0, Vec::new());
    for (expression, value, error) in cases() {
        count += 1;
        let result = cesql::evaluate(expression, &event, None);
        let kind = result.error.as_ref().map(|error| error.kind.name());
        if (&result.value, kind) != (&value, error) {
            wrong.push(format!("{expression}\n  expected {value:?} {error:?}\n  found    {result:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 850, "only {count} cases");
}

#[test]
fn only_true_without_an_error_passes() {
    let event = event();
    for (text, value, error) in cases() {
        let Ok(expression) = Expression::new(text) else { continue };
        let expected = error.is_none() && value == Output::Boolean(true);
        assert_eq!(expression.passes(&event, None), expected, "{text}");
        assert_eq!(expression.evaluate(&event, None).passes(), expected, "{text}");
    }
}

#[test]
fn every_expression_of_the_table_survives_printing() {
    for (text, _, _) in cases() {
        if let Ok(tree) = cesql::parse(text) {
            assert_eq!(cesql::parse(&tree.to_string()).as_ref(), Ok(&tree), "{text} printed as {tree}");
        }
    }
}

#[test]
fn every_attribute_is_asked_for_once() {
    let event = event();
    let text = "tier = 'a' OR tier = 'b' OR EXISTS tier AND qty > 3 AND qty < 9 AND tier LIKE 'g%'";
    assert!(Expression::new(text).unwrap().passes(&event, None));
    assert_eq!(event.asked(), ["tier", "qty"]);
}

/// The functions, each with the zero value of what it returns.
const FUNCTIONS: [(&str, &str); 16] = [
    ("LENGTH", "0"),
    ("CONCAT", "''"),
    ("CONCAT_WS", "''"),
    ("LOWER", "''"),
    ("UPPER", "''"),
    ("TRIM", "''"),
    ("LEFT", "''"),
    ("RIGHT", "''"),
    ("SUBSTRING", "''"),
    ("ABS", "0"),
    ("INT", "0"),
    ("BOOL", "false"),
    ("STRING", "''"),
    ("IS_INT", "false"),
    ("IS_BOOL", "false"),
    ("NOSUCH", "false"),
];

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["id", "type", "tier", "qty", "active", "subject", "1st", "text"])
        .prop_map(String::from)
}

/// Texts that a literal can stand for: backslashes come in pairs, or before
/// something that is no quote.
fn text() -> impl Strategy<Value = String> {
    let piece =
        prop::sample::select(vec!["a", "B", "'", "\"", "\\\\", "\\%", "\\_", "%", "_", "5", " ", "ü", "世"]);
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn binary() -> impl Strategy<Value = Binary> {
    use Binary::*;
    prop::sample::select(vec![
        And,
        Or,
        Xor,
        Equal,
        NotEqual,
        Less,
        LessOrEqual,
        Greater,
        GreaterOrEqual,
        Multiply,
        Divide,
        Remainder,
        Add,
        Subtract,
    ])
}

fn expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(Expr::Integer),
        (-3..20).prop_map(Expr::Integer),
        any::<bool>().prop_map(Expr::Boolean),
        text().prop_map(Expr::String),
        name().prop_map(Expr::Attribute),
        name().prop_map(Expr::Exists),
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let list = prop::collection::vec(inner, 0..4);
        let call = prop::sample::select(FUNCTIONS.map(|(name, _)| name).to_vec());
        prop_oneof![
            (prop::sample::select(vec![Unary::Not, Unary::Negate]), boxed.clone())
                .prop_map(|(operator, x)| Expr::Unary(operator, x)),
            (binary(), boxed.clone(), boxed.clone())
                .prop_map(|(operator, x, y)| Expr::Binary(operator, x, y)),
            (any::<bool>(), boxed.clone(), text()).prop_map(|(negated, subject, pattern)| Expr::Like {
                negated,
                subject,
                pattern
            }),
            (any::<bool>(), boxed, list.clone()).prop_map(|(negated, subject, mut set)| {
                set.push(Expr::Integer(1));
                Expr::In { negated, subject, set }
            }),
            (call, list).prop_map(|(name, arguments)| Expr::Call { name: name.into(), arguments }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn printing_and_parsing_gives_the_same_tree(tree in expr()) {
        let text = tree.to_string();
        prop_assert_eq!(cesql::parse(&text), Ok(tree), "{}", text);
    }

    #[test]
    fn folding_changes_no_result(tree in expr()) {
        // Asking for an attribute first keeps everything after it from being
        // folded away: its value is the same, known only at run time.
        let plain = Expression::new(&tree.to_string()).unwrap().evaluate(&event(), None);
        let mut event = event();
        let opaque = hide(&tree, &mut event);
        let hidden = Expression::new(&opaque.to_string()).unwrap().evaluate(&event, None);
        prop_assert_eq!(plain.value, hidden.value);
        prop_assert_eq!(plain.error.map(|e| e.kind), hidden.error.map(|e| e.kind));
    }

    #[test]
    fn an_error_of_an_operand_is_the_error_of_the_whole_and_leaves_its_zero_value(tree in expr()) {
        let evaluate = |tree: &Expr| Expression::new(&tree.to_string()).unwrap().evaluate(&event(), None);
        if let Some(error) = operands(&tree).into_iter().find_map(|operand| evaluate(operand).error) {
            let whole = evaluate(&tree);
            prop_assert_eq!(whole.value, zero(&tree), "{}", tree);
            prop_assert_eq!(whole.error.unwrap().kind, error.kind, "{}", tree);
        }
    }

    #[test]
    fn an_error_leaves_the_zero_value_but_where_the_specification_names_another(tree in expr()) {
        let result = Expression::new(&tree.to_string()).unwrap().evaluate(&event(), None);
        let names_another = matches!(&tree, Expr::Call { name, .. } if ["ABS", "LEFT", "RIGHT"].contains(&name.as_str()));
        if result.error.is_some() && !names_another {
            prop_assert_eq!(result.value, zero(&tree), "{}", tree);
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused_at_a_place_inside_it(text in any::<String>()) {
        if let Err(refusal) = cesql::parse(&text) {
            prop_assert!(refusal.column(&text) <= text.chars().count() + 1);
            prop_assert!(refusal.show(&text).ends_with('^'));
        }
        cesql::evaluate(&text, &event(), None);
    }

    #[test]
    fn any_row_of_tokens_is_parsed_or_refused(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "(", ")", ",", "NOT", "-", "+", "*", "/", "%", "=", "<>", "<=", "AND", "or", "XOR", "LIKE", "IN",
                "EXISTS", "TRUE", "'a%'", "\"b\"", "1", "-2", "tier", "LENGTH", "CONCAT_WS", "_", "'",
            ]),
            0..30,
        )
    ) {
        let text = words.join(" ");
        if let Ok(tree) = cesql::parse(&text) {
            prop_assert_eq!(cesql::parse(&tree.to_string()), Ok(tree));
        }
        cesql::evaluate(&text, &event(), None);
    }
}

/// The operands that are evaluated whatever the others are: not the right one
/// of AND and OR, and not the arguments of a function that is not there.
fn operands(tree: &Expr) -> Vec<&Expr> {
    match tree {
        Expr::Unary(_, x) | Expr::Like { subject: x, .. } | Expr::Binary(Binary::And | Binary::Or, x, _) => {
            vec![x]
        }
        Expr::Binary(_, x, y) => vec![x, y],
        Expr::In { subject, set, .. } => std::iter::once(&**subject).chain(set).collect(),
        Expr::Call { name, arguments } if is_there(name, arguments.len()) => arguments.iter().collect(),
        _ => Vec::new(),
    }
}

/// Whether a function of this name takes this number of arguments.
fn is_there(name: &str, arguments: usize) -> bool {
    let call = Expr::Call { name: name.into(), arguments: vec![Expr::Integer(1); arguments] };
    let error = cesql::evaluate(&call.to_string(), &event(), None).error;
    error.is_none_or(|error| error.kind != ErrorKind::MissingFunction)
}

/// The zero value of what the outermost operator or function returns.
fn zero(tree: &Expr) -> Output {
    use Binary::*;
    match tree {
        Expr::Unary(Unary::Negate, _) | Expr::Binary(Multiply | Divide | Remainder | Add | Subtract, ..) => {
            Output::Integer(0)
        }
        Expr::Call { name, arguments } if is_there(name, arguments.len()) => {
            let (_, zero) = FUNCTIONS.iter().find(|(known, _)| known == name).unwrap();
            case(&format!("x => {zero}")).1
        }
        _ => Output::Boolean(false),
    }
}

/// The tree with its literals replaced by attributes, which `event` gets.
fn hide(tree: &Expr, event: &mut Event) -> Expr {
    let mut boxed = |x: &Expr| Box::new(hide(x, event));
    match tree {
        Expr::Integer(number) => hidden(event, *number),
        Expr::Boolean(truth) => hidden(event, *truth),
        Expr::String(text) => hidden(event, text.as_str()),
        Expr::Unary(operator, x) => Expr::Unary(*operator, boxed(x)),
        Expr::Binary(operator, x, y) => Expr::Binary(*operator, boxed(x), boxed(y)),
        Expr::Like { negated, subject, pattern } => {
            Expr::Like { negated: *negated, subject: boxed(subject), pattern: pattern.clone() }
        }
        Expr::In { negated, subject, set } => Expr::In {
            negated: *negated,
            subject: boxed(subject),
            set: set.iter().map(|element| hide(element, event)).collect(),
        },
        Expr::Call { name, arguments } => Expr::Call {
            name: name.clone(),
            arguments: arguments.iter().map(|argument| hide(argument, event)).collect(),
        },
        Expr::Attribute(_) | Expr::Exists(_) => tree.clone(),
    }
}

fn hidden(event: &mut Event, value: impl Into<common::Owned>) -> Expr {
    let name = format!("hidden{}", event.len());
    *event = std::mem::take(event).with(&name, value);
    Expr::Attribute(name)
}
