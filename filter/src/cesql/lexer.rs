//! Text into tokens, by the rules of the CESQL lexer grammar.
//!
//! As everywhere in this grammar the longest match wins, which has one
//! consequence that surprises: a sign directly before digits belongs to the
//! number, so `4-1` is two numbers in a row and not a subtraction.

use super::syntax::SyntaxError;
use winnow::combinator::{alt, repeat, terminated};
use winnow::error::ContextError;
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location};
use winnow::token::{any, none_of, one_of, take_while};

/// The smallest unit of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token<'t> {
    /// `[+-]?[0-9]+`, not yet checked for its range.
    Integer(&'t str),
    /// A string literal without quotes, its escaped quotes resolved.
    String(String),
    /// A keyword, an identifier or a function's name.
    Word(&'t str),
    /// An operator, a comma or a parenthesis.
    Symbol(&'t str),
}

/// A token and the byte it begins at.
#[derive(Clone, Debug)]
pub(crate) struct Spanned<'t> {
    pub(crate) token: Token<'t>,
    pub(crate) at: usize,
}

type Input<'t> = LocatingSlice<&'t str>;
type Lexed<T> = Result<T, ContextError>;

/// All tokens of `text`.
pub(crate) fn tokens(text: &str) -> Result<Vec<Spanned<'_>>, SyntaxError> {
    let mut input = LocatingSlice::new(text);
    let mut tokens = Vec::new();
    loop {
        blank(&mut input).expect("skipping nothing succeeds");
        if input.is_empty() {
            return Ok(tokens);
        }
        let at = input.current_token_start();
        match token(&mut input) {
            Ok(token) => tokens.push(Spanned { token, at }),
            Err(_) => return Err(unreadable(text, at)),
        }
    }
}

fn blank<'t>(input: &mut Input<'t>) -> Lexed<&'t str> {
    take_while(0.., [' ', '\t', '\r', '\n']).parse_next(input)
}

fn token<'t>(input: &mut Input<'t>) -> Lexed<Token<'t>> {
    alt((
        integer.map(Token::Integer),
        word.map(Token::Word),
        string.map(Token::String),
        symbol.map(Token::Symbol),
    ))
    .parse_next(input)
}

/// Digits, unless letters make a longer identifier of them.
fn integer<'t>(input: &mut Input<'t>) -> Lexed<&'t str> {
    let signed = (one_of(['+', '-']), take_while(1.., '0'..='9')).take();
    let unsigned = take_while(1.., |c: char| c.is_ascii_alphanumeric())
        .verify(|run: &str| run.bytes().all(|b| b.is_ascii_digit()));
    alt((signed, unsigned)).parse_next(input)
}

/// An identifier or keyword, or a function's name, which may have `_` but then
/// no digits.
fn word<'t>(input: &mut Input<'t>) -> Lexed<&'t str> {
    let function = (
        take_while(1.., |c: char| c.is_ascii_alphabetic()),
        one_of('_'),
        take_while(0.., |c: char| c.is_ascii_alphabetic() || c == '_'),
    )
        .take();
    alt((function, take_while(1.., |c: char| c.is_ascii_alphanumeric()))).parse_next(input)
}

fn string(input: &mut Input<'_>) -> Lexed<String> {
    let quote = one_of(['\'', '"']).parse_next(input)?;
    let pieces = repeat(0.., piece(quote)).fold(String::new, |mut text: String, piece: &str| {
        text.push_str(piece);
        text
    });
    terminated(pieces, one_of(quote)).parse_next(input)
}

/// One character of a string literal. A backslash keeps the next character
/// from ending the string and stays, except before the quote itself; a doubled
/// quote is one quote.
fn piece<'t>(quote: char) -> impl FnMut(&mut Input<'t>) -> Lexed<&'t str> {
    move |input: &mut Input<'t>| {
        let escaped = ('\\', any).take().map(|pair: &'t str| match pair[1..].strip_prefix(quote) {
            Some(_) => &pair[1..],
            None => pair,
        });
        let doubled = (one_of(quote), one_of(quote)).take().map(|pair: &'t str| &pair[1..]);
        alt((escaped, doubled, none_of([quote, '\\']).take())).parse_next(input)
    }
}

fn symbol<'t>(input: &mut Input<'t>) -> Lexed<&'t str> {
    alt(("!=", "<>", "<=", ">=", one_of(['(', ')', ',', '*', '/', '%', '+', '-', '=', '<', '>']).take()))
        .parse_next(input)
}

fn unreadable(text: &str, at: usize) -> SyntaxError {
    match text[at..].chars().next() {
        Some(quote @ ('\'' | '"')) => SyntaxError::new(
            at,
            "the string that begins here does not end".into(),
            format!("close it with {quote}; a {quote} inside the string is written \\{quote}"),
        ),
        Some('_') => SyntaxError::new(
            at,
            "a name does not begin with `_`".into(),
            "only functions have `_` in their names, and no digits with it".into(),
        ),
        Some(c) => SyntaxError::new(
            at,
            format!("the character {c:?} has no meaning here"),
            "attribute names have letters and digits only; text goes between quotes".into(),
        ),
        None => SyntaxError::new(at, "the expression ends here".into(), String::new()),
    }
}
