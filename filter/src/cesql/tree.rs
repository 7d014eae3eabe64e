//! The syntax tree of an expression, and its text.
//!
//! Printing and parsing again gives the same tree. Parentheses are printed only
//! where they are needed, and around AND, OR and XOR inside one another, whose
//! common precedence surprises most readers.

use std::fmt::{self, Display, Formatter};

/// An expression as written: identifiers in lower case, function names in
/// upper case, string literals without their quotes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// An integer literal.
    Integer(i32),
    /// `TRUE` or `FALSE`.
    Boolean(bool),
    /// A string literal.
    String(String),
    /// The value of an attribute.
    Attribute(String),
    /// `EXISTS attribute`.
    Exists(String),
    /// `NOT x` or `-x`.
    Unary(Unary, Box<Expr>),
    /// Two operands and an operator between them.
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `x LIKE 'pattern'`.
    Like {
        /// `NOT LIKE`.
        negated: bool,
        /// What is compared.
        subject: Box<Expr>,
        /// The pattern, escapes included.
        pattern: String,
    },
    /// `x IN (a, b)`.
    In {
        /// `NOT IN`.
        negated: bool,
        /// What is looked for.
        subject: Box<Expr>,
        /// Where; never empty.
        set: Vec<Expr>,
    },
    /// `NAME(a, b)`.
    Call {
        /// The function's name in upper case.
        name: String,
        /// Its arguments.
        arguments: Vec<Expr>,
    },
}

/// The operators before an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    /// `NOT`.
    Not,
    /// `-`.
    Negate,
}

/// The operators between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is its symbol, see `symbol`")]
pub enum Binary {
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
}

impl Binary {
    /// The operator as it is written. `<>` is the same operator as `!=`.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Binary::And => "AND",
            Binary::Or => "OR",
            Binary::Xor => "XOR",
            Binary::Equal => "=",
            Binary::NotEqual => "!=",
            Binary::Less => "<",
            Binary::LessOrEqual => "<=",
            Binary::Greater => ">",
            Binary::GreaterOrEqual => ">=",
            Binary::Multiply => "*",
            Binary::Divide => "/",
            Binary::Remainder => "%",
            Binary::Add => "+",
            Binary::Subtract => "-",
        }
    }

    /// Whether the result is Boolean, and not an integer.
    pub(crate) fn is_boolean(self) -> bool {
        self.binding() <= Binding::Comparison
    }

    pub(crate) fn binding(self) -> Binding {
        match self {
            Binary::And | Binary::Or | Binary::Xor => Binding::Logical,
            Binary::Multiply | Binary::Divide | Binary::Remainder => Binding::Multiplicative,
            Binary::Add | Binary::Subtract => Binding::Additive,
            _ => Binding::Comparison,
        }
    }
}

impl Expr {
    /// Whether this is a literal.
    pub(crate) fn is_literal(&self) -> bool {
        matches!(self, Expr::Integer(_) | Expr::Boolean(_) | Expr::String(_))
    }

    /// How tight the outermost operator binds; the parser has the same order.
    fn binding(&self) -> Binding {
        match self {
            Expr::Binary(operator, ..) => operator.binding(),
            Expr::In { .. } => Binding::In,
            Expr::Like { .. } => Binding::Like,
            Expr::Unary(..) => Binding::Unary,
            _ => Binding::Atom,
        }
    }

    /// The expression, in parentheses if it binds looser than `least`.
    fn within(&self, least: Binding) -> impl Display {
        fmt::from_fn(
            move |f| if self.binding() < least { write!(f, "({self})") } else { write!(f, "{self}") },
        )
    }
}

/// How tight an operator binds, from loose to tight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Binding {
    Logical,
    Comparison,
    Additive,
    Multiplicative,
    In,
    Like,
    Unary,
    Atom,
}

impl Binding {
    /// What the right operand must at least have, as these group from the left.
    pub(crate) fn next(self) -> Binding {
        match self {
            Binding::Logical => Binding::Comparison,
            Binding::Comparison => Binding::Additive,
            Binding::Additive => Binding::Multiplicative,
            Binding::Multiplicative => Binding::In,
            Binding::In => Binding::Like,
            Binding::Like => Binding::Unary,
            Binding::Unary | Binding::Atom => Binding::Atom,
        }
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Integer(number) => write!(f, "{number}"),
            Expr::Boolean(true) => f.write_str("TRUE"),
            Expr::Boolean(false) => f.write_str("FALSE"),
            Expr::String(text) => quote(f, text),
            Expr::Attribute(name) => f.write_str(name),
            Expr::Exists(name) => write!(f, "EXISTS {name}"),
            Expr::Unary(Unary::Not, x) => write!(f, "NOT {}", x.within(Binding::Unary)),
            // The blank keeps `- 5` apart from the literal `-5`.
            Expr::Unary(Unary::Negate, x) => write!(f, "- {}", x.within(Binding::Unary)),
            Expr::Binary(operator, x, y) => {
                let own = operator.binding();
                // AND, OR and XOR group from the right, all others from the left.
                let (left, right) = match (own, &**y) {
                    (Binding::Logical, Expr::Binary(inner, ..)) if inner == operator => (own.next(), own),
                    (Binding::Logical, _) => (own.next(), own.next()),
                    _ => (own, own.next()),
                };
                write!(f, "{} {} {}", x.within(left), operator.symbol(), y.within(right))
            }
            Expr::Like { negated, subject, pattern } => {
                write!(f, "{} {}LIKE ", subject.within(Binding::Like), if *negated { "NOT " } else { "" })?;
                quote(f, pattern)
            }
            Expr::In { negated, subject, set } => {
                write!(f, "{} {}IN (", subject.within(Binding::In), if *negated { "NOT " } else { "" })?;
                list(f, set)
            }
            Expr::Call { name, arguments } => {
                write!(f, "{name}(")?;
                list(f, arguments)
            }
        }
    }
}

fn list(f: &mut Formatter<'_>, items: &[Expr]) -> fmt::Result {
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{item}")?;
    }
    f.write_str(")")
}

/// Writes a string literal. Inside the quotes a backslash pairs with the next
/// character, so a quote that follows an unpaired backslash cannot be escaped:
/// such a text gets the other kind of quotes. No literal yields a text with
/// unpaired backslashes before quotes of both kinds.
fn quote(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    let delimiter = if unpaired_before(text, '\'') { '"' } else { '\'' };
    write!(f, "{delimiter}")?;
    for c in text.chars() {
        if c == delimiter {
            f.write_str("\\")?;
        }
        write!(f, "{c}")?;
    }
    write!(f, "{delimiter}")
}

fn unpaired_before(text: &str, quote: char) -> bool {
    let mut escaped = false;
    for c in text.chars() {
        if escaped && c == quote {
            return true;
        }
        escaped = c == '\\' && !escaped;
    }
    false
}
