//! Tokens into a tree: a Pratt parser.
//!
//! Binding, from tight to loose: function call and parentheses; `NOT` and `-`
//! before an operand; `LIKE`; `IN`; `* / %`; `+ -`; comparisons; and on one
//! common level `AND OR XOR`, which group from the right as in the grammar that
//! upstream's engines are generated from: `a AND b OR c` is `a AND (b OR c)`.
//! All others group from the left.

use super::lexer::{Spanned, Token, tokens};
use super::syntax::SyntaxError;
use super::tree::{Binary, Binding, Expr, Unary};
use crate::limits::{EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX, LIKE_WILDCARD_RUN_MAX};

/// A tree and its height: chains of operators grow it without any recursion of
/// the parser, but everyone after the parser recurses over it.
struct Tall {
    expr: Expr,
    height: usize,
}

/// Parses one expression.
pub fn parse(text: &str) -> Result<Expr, SyntaxError> {
    if text.len() > EXPRESSION_BYTES_MAX {
        let message = format!("the expression has {} bytes, {EXPRESSION_BYTES_MAX} are allowed", text.len());
        return Err(SyntaxError::new(0, message, "split it into several filters".into()));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, next: 0, end: text.trim_end().len() };
    let whole = parser.expression(0)?;
    match parser.peek() {
        None => Ok(whole.expr),
        Some(Token::Integer(number)) if number.starts_with(['+', '-']) => Err(parser.refuse(
            "two operands without an operator between them".into(),
            format!(
                "a sign directly before digits belongs to the number: write `{} {}`",
                &number[..1],
                &number[1..]
            ),
        )),
        Some(_) => Err(parser.refuse(
            "an operator or the end is expected here".into(),
            "text goes between quotes; AND, OR and XOR join conditions".into(),
        )),
    }
}

struct Parser<'t> {
    tokens: &'t [Spanned<'t>],
    next: usize,
    /// Where a mistake lies that only the end of the text reveals.
    end: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t Token<'t>> {
        self.tokens.get(self.next).map(|spanned| &spanned.token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |spanned| spanned.at)
    }

    fn refuse(&self, message: String, hint: String) -> SyntaxError {
        SyntaxError::new(self.at(), message, hint)
    }

    fn keyword(&self, ahead: usize, word: &str) -> bool {
        matches!(self.tokens.get(self.next + ahead), Some(Spanned { token: Token::Word(w), .. }) if w.eq_ignore_ascii_case(word))
    }

    fn symbol(&self, symbol: &str) -> bool {
        self.peek() == Some(&Token::Symbol(symbol))
    }

    fn expect(&mut self, symbol: &str, hint: &str) -> Result<(), SyntaxError> {
        if !self.symbol(symbol) {
            return Err(self.refuse(format!("`{symbol}` is expected here"), hint.into()));
        }
        self.next += 1;
        Ok(())
    }

    /// A tree one level above parts of this height, if that is allowed.
    fn raise(&self, expr: Expr, height: usize) -> Result<Tall, SyntaxError> {
        if height >= EXPRESSION_DEPTH_MAX {
            return Err(self.too_deep());
        }
        Ok(Tall { expr, height: height + 1 })
    }

    fn check(&self, depth: usize) -> Result<(), SyntaxError> {
        if depth > EXPRESSION_DEPTH_MAX { Err(self.too_deep()) } else { Ok(()) }
    }

    fn too_deep(&self) -> SyntaxError {
        self.refuse(
            format!("the expression is nested or chained more than {EXPRESSION_DEPTH_MAX} deep"),
            "use IN for many values of one attribute, or several filters".into(),
        )
    }

    /// A whole expression: operands joined by AND, OR and XOR, which group from
    /// the right.
    fn expression(&mut self, depth: usize) -> Result<Tall, SyntaxError> {
        self.check(depth)?;
        let mut last = self.tighter(Binding::Comparison, depth)?;
        let mut before = Vec::new();
        while let Some((operator, Binding::Logical)) = self.peek().and_then(binary_operator) {
            self.next += 1;
            let next = self.tighter(Binding::Comparison, depth)?;
            before.push((std::mem::replace(&mut last, next), operator));
        }
        while let Some((left, operator)) = before.pop() {
            last = self.join(operator, left, last)?;
        }
        Ok(last)
    }

    /// Operands joined by operators that bind at least as tight as `least`,
    /// which group from the left.
    fn tighter(&mut self, least: Binding, depth: usize) -> Result<Tall, SyntaxError> {
        let mut left = self.operand(depth)?;
        while let Some((binding, negated)) = self.operator() {
            if binding < least {
                break;
            }
            left = match binding {
                Binding::Like => self.like(left, negated)?,
                Binding::In => self.membership(left, negated, depth)?,
                _ => self.binary(left, binding, depth)?,
            };
        }
        Ok(left)
    }

    /// The operator that comes next, and whether it is `NOT LIKE` or `NOT IN`.
    fn operator(&self) -> Option<(Binding, bool)> {
        let negated = self.keyword(0, "NOT");
        let ahead = usize::from(negated);
        if self.keyword(ahead, "LIKE") {
            return Some((Binding::Like, negated));
        }
        if self.keyword(ahead, "IN") {
            return Some((Binding::In, negated));
        }
        self.peek().and_then(binary_operator).map(|(_, binding)| (binding, false))
    }

    fn binary(&mut self, left: Tall, binding: Binding, depth: usize) -> Result<Tall, SyntaxError> {
        let (operator, _) = self.peek().and_then(binary_operator).expect("the caller saw the operator");
        self.next += 1;
        let right = self.tighter(binding.next(), depth)?;
        self.join(operator, left, right)
    }

    fn join(&self, operator: Binary, left: Tall, right: Tall) -> Result<Tall, SyntaxError> {
        let height = left.height.max(right.height);
        self.raise(Expr::Binary(operator, Box::new(left.expr), Box::new(right.expr)), height)
    }

    fn like(&mut self, left: Tall, negated: bool) -> Result<Tall, SyntaxError> {
        self.next += 1 + usize::from(negated);
        let Some(Token::String(pattern)) = self.peek() else {
            return Err(self.refuse(
                "a pattern between quotes is expected after LIKE".into(),
                "for example LIKE 'com.example.%'".into(),
            ));
        };
        if super::like::wildcard_run(pattern) > LIKE_WILDCARD_RUN_MAX {
            return Err(self.refuse(
                format!("a part of the pattern with `_` has more than {LIKE_WILDCARD_RUN_MAX} characters between two `%`"),
                "shorten it, or use `%` for the part that may vary".into(),
            ));
        }
        self.next += 1;
        let height = left.height;
        let expr = Expr::Like { negated, subject: Box::new(left.expr), pattern: pattern.clone() };
        self.raise(expr, height)
    }

    fn membership(&mut self, left: Tall, negated: bool, depth: usize) -> Result<Tall, SyntaxError> {
        self.next += 1 + usize::from(negated);
        self.expect("(", "a set is written IN ('a', 'b')")?;
        if self.symbol(")") {
            return Err(self
                .refuse("the set is empty".into(), "an attribute is in no empty set; name a value".into()));
        }
        let (set, height) = self.items(depth)?;
        let height = height.max(left.height);
        self.raise(Expr::In { negated, subject: Box::new(left.expr), set }, height)
    }

    /// Expressions separated by commas and the closing parenthesis, with the
    /// height of the tallest.
    fn items(&mut self, depth: usize) -> Result<(Vec<Expr>, usize), SyntaxError> {
        let (mut items, mut height) = (Vec::new(), 0);
        loop {
            let item = self.expression(depth + 1)?;
            height = height.max(item.height);
            items.push(item.expr);
            if !self.symbol(",") {
                break;
            }
            self.next += 1;
        }
        self.expect(")", "a parenthesis opened before is not closed")?;
        Ok((items, height))
    }

    fn operand(&mut self, depth: usize) -> Result<Tall, SyntaxError> {
        let flat = |expr| Ok(Tall { expr, height: 0 });
        match self.peek() {
            Some(Token::Integer(digits)) => {
                let number = digits.parse().map_err(|_| {
                    self.refuse(
                        format!("{digits} is not a 32-bit integer"),
                        format!("integers go from {} to {}", i32::MIN, i32::MAX),
                    )
                })?;
                self.next += 1;
                flat(Expr::Integer(number))
            }
            Some(Token::String(text)) => {
                self.next += 1;
                flat(Expr::String(text.clone()))
            }
            Some(Token::Symbol("(")) => {
                self.next += 1;
                let inner = self.expression(depth + 1)?;
                self.expect(")", "a parenthesis opened before is not closed")?;
                Ok(inner)
            }
            Some(Token::Symbol("-")) => self.unary(Unary::Negate, depth),
            Some(Token::Word(word)) => self.word(word, depth),
            _ => Err(self.refuse(
                "a value, an attribute or a function is expected here".into(),
                "for example type = 'com.example.created'".into(),
            )),
        }
    }

    /// `NOT` and `-` bind tighter than everything between two operands, so what
    /// follows is one operand.
    fn unary(&mut self, operator: Unary, depth: usize) -> Result<Tall, SyntaxError> {
        self.check(depth)?;
        self.next += 1;
        let operand = self.operand(depth + 1)?;
        self.raise(Expr::Unary(operator, Box::new(operand.expr)), operand.height)
    }

    fn word(&mut self, word: &str, depth: usize) -> Result<Tall, SyntaxError> {
        let upper = word.to_ascii_uppercase();
        let called =
            matches!(self.tokens.get(self.next + 1), Some(Spanned { token: Token::Symbol("("), .. }));
        match upper.as_str() {
            "NOT" => self.unary(Unary::Not, depth),
            "EXISTS" => self.exists(),
            "TRUE" | "FALSE" => {
                self.next += 1;
                Ok(Tall { expr: Expr::Boolean(upper == "TRUE"), height: 0 })
            }
            "AND" | "OR" | "XOR" | "LIKE" | "IN" => Err(self.refuse(
                format!("`{word}` is an operator and needs an operand before it"),
                "an attribute of this name cannot be used in an expression".into(),
            )),
            _ if called && !word.contains(|c: char| c.is_ascii_digit()) => {
                self.next += 2;
                let (arguments, height) = if self.symbol(")") {
                    self.next += 1;
                    (Vec::new(), 0)
                } else {
                    self.items(depth)?
                };
                self.raise(Expr::Call { name: upper, arguments }, height)
            }
            _ if word.contains('_') => Err(self.refuse(
                format!("`{word}` is not an attribute"),
                "attribute names have letters and digits only; a function needs `(` after its name".into(),
            )),
            _ => {
                self.next += 1;
                Ok(Tall { expr: Expr::Attribute(word.to_ascii_lowercase()), height: 0 })
            }
        }
    }

    fn exists(&mut self) -> Result<Tall, SyntaxError> {
        self.next += 1;
        match self.peek() {
            Some(Token::Word(name)) if !name.contains('_') && !is_keyword(name) => {
                self.next += 1;
                Ok(Tall { expr: Expr::Exists(name.to_ascii_lowercase()), height: 0 })
            }
            _ => Err(self.refuse(
                "the name of an attribute is expected after EXISTS".into(),
                "for example EXISTS subject".into(),
            )),
        }
    }
}

fn is_keyword(word: &str) -> bool {
    ["AND", "OR", "XOR", "NOT", "LIKE", "IN", "EXISTS", "TRUE", "FALSE"]
        .iter()
        .any(|keyword| keyword.eq_ignore_ascii_case(word))
}

fn binary_operator(token: &Token<'_>) -> Option<(Binary, Binding)> {
    let operator = match token {
        Token::Symbol(symbol) => match *symbol {
            "*" => Binary::Multiply,
            "/" => Binary::Divide,
            "%" => Binary::Remainder,
            "+" => Binary::Add,
            "-" => Binary::Subtract,
            "=" => Binary::Equal,
            "!=" | "<>" => Binary::NotEqual,
            "<" => Binary::Less,
            "<=" => Binary::LessOrEqual,
            ">" => Binary::Greater,
            ">=" => Binary::GreaterOrEqual,
            _ => return None,
        },
        Token::Word(word) if word.eq_ignore_ascii_case("AND") => Binary::And,
        Token::Word(word) if word.eq_ignore_ascii_case("OR") => Binary::Or,
        Token::Word(word) if word.eq_ignore_ascii_case("XOR") => Binary::Xor,
        _ => return None,
    };
    Some((operator, operator.binding()))
}
