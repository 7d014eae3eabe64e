//! Fields, and what they say about the message.

use eagre_http1::{Framing, Refusal};

use super::{
    Case, Kind, Row,
    Verdict::{Close, Continue, Keep, Refuse},
    rows,
};

const REQUEST: &str = "POST / HTTP/1.1\r\nHost: a\r\n";
const REQUEST_1_0: &str = "POST / HTTP/1.0\r\n";

pub fn add(cases: &mut Vec<Case>) {
    syntax(cases);
    rows(cases, Kind::Request, REQUEST, "\r\n\r\n", &framing());
    rows(cases, Kind::Response, "HTTP/1.1 200 OK\r\n", "\r\n\r\n", &framing());
    connection(cases);
    expect(cases);
}

fn syntax(cases: &mut Vec<Case>) {
    use Refusal::{FieldName, FieldValue, LineEnding};
    let keep = || Keep(Framing::None);
    rows(
        cases,
        Kind::Request,
        REQUEST,
        "\r\n\r\n",
        &[
            ("field", "5", "X-A: b", keep()),
            ("field-empty-value", "5", "X-A:", keep()),
            ("field-whitespace-value", "5", "X-A: \t ", keep()),
            ("field-obs-text", "9110/5.5", "X-A: \u{e9}\u{ff}", keep()),
            ("field-tab-inside", "9110/5.5", "X-A: a\tb", keep()),
            ("field-colon-in-value", "5", "X-A: a:b", keep()),
            ("field-name-token-bytes", "5", "!#$%&'*+-.^_`|~0aZ: b", keep()),
            ("field-space-before-colon", "5.1", "X-A : b", Refuse(FieldName)),
            ("field-tab-before-colon", "5.1", "X-A\t: b", Refuse(FieldName)),
            ("length-space-before-colon", "5.1", "Content-Length : 5", Refuse(FieldName)),
            ("coding-space-before-colon", "5.1", "Transfer-Encoding : chunked", Refuse(FieldName)),
            ("field-no-colon", "5", "X-A", Refuse(FieldName)),
            ("field-no-name", "5", ": b", Refuse(FieldName)),
            ("field-space-in-name", "5", "X A: b", Refuse(FieldName)),
            ("field-leading-space", "5.2", " X-A: b", Refuse(FieldName)),
            ("fold-space", "5.2", "X-A: b\r\n c", Refuse(FieldName)),
            ("fold-tab", "5.2", "X-A: b\r\n\tc", Refuse(FieldName)),
            ("fold-length", "5.2", "Content-Length:\r\n 5", Refuse(FieldName)),
            ("fold-coding", "5.2", "Transfer-Encoding:\r\n chunked", Refuse(FieldName)),
            ("name-nul", "5", "X\0A: b", Refuse(FieldName)),
            ("name-high-byte", "5", "X\u{e9}: b", Refuse(FieldName)),
            ("name-bracket", "5", "X[A]: b", Refuse(FieldName)),
            ("name-quote", "5", "\"X\": b", Refuse(FieldName)),
            ("name-slash", "5", "X/A: b", Refuse(FieldName)),
            ("value-nul", "9110/5.5", "X-A: a\0b", Refuse(FieldValue)),
            ("value-escape", "9110/5.5", "X-A: a\u{1b}b", Refuse(FieldValue)),
            ("value-delete", "9110/5.5", "X-A: a\u{7f}b", Refuse(FieldValue)),
            ("value-vertical-tab", "9110/5.5", "X-A: a\u{b}b", Refuse(FieldValue)),
            ("value-bare-cr", "2.2", "X-A: a\rb", Refuse(FieldValue)),
            ("value-double-cr", "2.2", "X-A: a\r", Refuse(FieldValue)),
            ("value-bare-lf", "2.2", "X-A: a\nX-B: c", Refuse(LineEnding)),
            ("value-lf-hides-coding", "2.2", "X-A: a\nTransfer-Encoding: chunked", Refuse(LineEnding)),
        ],
    );
}

/// The same for requests and responses.
fn framing() -> Vec<Row> {
    use Refusal::{ContentLength, LengthAndEncoding, TransferCoding, TransferEncoding};
    vec![
        ("length", "6.2", "Content-Length: 5", Keep(Framing::Length(5))),
        ("length-0", "6.2", "Content-Length: 0", Keep(Framing::Length(0))),
        ("length-lower-case-name", "5", "content-length: 5", Keep(Framing::Length(5))),
        ("length-no-space", "5", "Content-Length:5", Keep(Framing::Length(5))),
        ("length-space-behind", "5", "Content-Length: 5 \t", Keep(Framing::Length(5))),
        ("length-leading-zeros", "9110/8.6", "Content-Length: 0005", Keep(Framing::Length(5))),
        ("length-max", "own", "Content-Length: 18446744073709551615", Keep(Framing::Length(u64::MAX))),
        ("length-over", "6.3", "Content-Length: 18446744073709551616", Refuse(ContentLength)),
        ("length-far-over", "6.3", "Content-Length: 99999999999999999999999", Refuse(ContentLength)),
        ("length-plus", "6.3", "Content-Length: +5", Refuse(ContentLength)),
        ("length-minus", "6.3", "Content-Length: -5", Refuse(ContentLength)),
        ("length-minus-0", "6.3", "Content-Length: -0", Refuse(ContentLength)),
        ("length-hex", "6.3", "Content-Length: 0x5", Refuse(ContentLength)),
        ("length-underscore", "6.3", "Content-Length: 1_0", Refuse(ContentLength)),
        ("length-empty", "6.3", "Content-Length:", Refuse(ContentLength)),
        ("length-blank", "6.3", "Content-Length:  ", Refuse(ContentLength)),
        ("length-word", "6.3", "Content-Length: five", Refuse(ContentLength)),
        ("length-fraction", "6.3", "Content-Length: 5.0", Refuse(ContentLength)),
        ("length-exponent", "6.3", "Content-Length: 1e1", Refuse(ContentLength)),
        ("length-quoted", "6.3", "Content-Length: \"5\"", Refuse(ContentLength)),
        ("length-spaced", "6.3", "Content-Length: 5 5", Refuse(ContentLength)),
        ("length-tail", "6.3", "Content-Length: 5x", Refuse(ContentLength)),
        ("length-semicolon", "6.3", "Content-Length: 5;", Refuse(ContentLength)),
        ("length-fullwidth", "6.3", "Content-Length: \u{ef}\u{bc}\u{95}", Refuse(ContentLength)),
        ("length-list-equal", "6.3", "Content-Length: 5, 5", Refuse(ContentLength)),
        ("length-list", "6.3", "Content-Length: 5, 6", Refuse(ContentLength)),
        ("length-list-comma-behind", "6.3", "Content-Length: 5,", Refuse(ContentLength)),
        ("length-list-comma-before", "6.3", "Content-Length: ,5", Refuse(ContentLength)),
        ("length-twice-equal", "6.3", "Content-Length: 5\r\nContent-Length: 5", Refuse(ContentLength)),
        ("length-twice", "6.3", "Content-Length: 5\r\ncontent-length: 6", Refuse(ContentLength)),
        ("chunked", "6.1", "Transfer-Encoding: chunked", Keep(Framing::Chunked)),
        ("chunked-case", "7", "TRANSFER-ENCODING: CHUNKed", Keep(Framing::Chunked)),
        ("chunked-tab-around", "5", "Transfer-Encoding:\tchunked\t", Keep(Framing::Chunked)),
        ("coding-empty", "6.1", "Transfer-Encoding:", Refuse(TransferEncoding)),
        ("coding-identity", "6.1", "Transfer-Encoding: identity", Refuse(TransferEncoding)),
        ("coding-gzip", "6.3", "Transfer-Encoding: gzip", Refuse(TransferEncoding)),
        ("coding-gzip-chunked", "6.1", "Transfer-Encoding: gzip, chunked", Refuse(TransferCoding)),
        ("coding-chunked-gzip", "6.3", "Transfer-Encoding: chunked, gzip", Refuse(TransferEncoding)),
        ("coding-chunked-list", "6.1", "Transfer-Encoding: chunked, chunked", Refuse(TransferEncoding)),
        ("coding-comma-before", "6.1", "Transfer-Encoding: , chunked", Refuse(TransferEncoding)),
        ("coding-comma-behind", "6.1", "Transfer-Encoding: chunked,", Refuse(TransferEncoding)),
        ("coding-params", "7", "Transfer-Encoding: chunked;a=b", Refuse(TransferEncoding)),
        ("coding-quoted", "7", "Transfer-Encoding: \"chunked\"", Refuse(TransferEncoding)),
        ("coding-prefix", "7", "Transfer-Encoding: xchunked", Refuse(TransferEncoding)),
        ("coding-suffix", "7", "Transfer-Encoding: chunkedx", Refuse(TransferEncoding)),
        ("coding-two-words", "7", "Transfer-Encoding: x chunked", Refuse(TransferEncoding)),
        ("coding-high-byte", "7", "Transfer-Encoding: chunked\u{a0}", Refuse(TransferEncoding)),
        (
            "coding-twice",
            "6.1",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            Refuse(TransferEncoding),
        ),
        (
            "coding-identity-then-chunked",
            "6.1",
            "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
            Refuse(TransferEncoding),
        ),
        (
            "length-then-coding",
            "6.1",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            Refuse(LengthAndEncoding),
        ),
        (
            "coding-then-length",
            "6.1",
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
            Refuse(LengthAndEncoding),
        ),
        (
            "coding-and-length-0",
            "6.1",
            "Transfer-Encoding: chunked\r\nContent-Length: 0",
            Refuse(LengthAndEncoding),
        ),
        (
            "name-underscore-is-another",
            "5",
            "Content-Length: 1\r\nTransfer_Encoding: x",
            Keep(Framing::Length(1)),
        ),
    ]
}

fn connection(cases: &mut Vec<Case>) {
    let (keep, close) = (Keep(Framing::None), Close(Framing::None));
    rows(
        cases,
        Kind::Request,
        REQUEST,
        "\r\n\r\n",
        &[
            ("connection-close", "9.6", "Connection: close", close.clone()),
            ("connection-close-case", "9.6", "CONNECTION: Close", close.clone()),
            ("connection-close-in-list", "9.6", "Connection: x , close", close.clone()),
            ("connection-close-second-field", "9.6", "Connection: x\r\nConnection: close", close.clone()),
            ("connection-close-wins", "9.3", "Connection: keep-alive, close", close.clone()),
            ("connection-keep-alive", "9.3", "Connection: keep-alive", keep.clone()),
            ("connection-empty", "9.3", "Connection:", keep.clone()),
            ("connection-other-word", "9.3", "Connection: closed", keep.clone()),
            ("upgrade-is-ignored", "9110/7.8", "Connection: upgrade\r\nUpgrade: websocket", keep.clone()),
            ("upgrade-h2c-is-ignored", "9110/7.8", "Upgrade: h2c\r\nHTTP2-Settings: AA", keep.clone()),
            ("te-is-ignored", "9110/10.1.4", "TE: trailers", keep.clone()),
        ],
    );
    rows(
        cases,
        Kind::Request,
        REQUEST_1_0,
        "\r\n\r\n",
        &[
            ("1.0-closes", "9.3", "X: y", close.clone()),
            ("1.0-keep-alive", "9.3", "Connection: Keep-Alive", keep),
            ("1.0-keep-alive-close", "9.3", "Connection: keep-alive, close", close),
            ("1.0-length", "6.3", "Content-Length: 5", Close(Framing::Length(5))),
            ("1.0-chunked", "6.1", "Transfer-Encoding: chunked", Refuse(Refusal::TransferEncoding)),
            ("1.0-coding", "6.1", "Transfer-Encoding: gzip", Refuse(Refusal::TransferEncoding)),
        ],
    );
    rows(
        cases,
        Kind::Response,
        "HTTP/1.0 200 OK\r\n",
        "\r\n\r\n",
        &[
            ("response-1.0-chunked", "6.1", "Transfer-Encoding: chunked", Refuse(Refusal::TransferEncoding)),
            ("response-1.0-length", "9.3", "Content-Length: 3", Close(Framing::Length(3))),
        ],
    );
}

fn expect(cases: &mut Vec<Case>) {
    let other = || Refuse(Refusal::Expect);
    rows(
        cases,
        Kind::Request,
        REQUEST,
        "\r\nContent-Length: 5\r\n\r\n",
        &[
            ("expect-continue", "9110/10.1.1", "Expect: 100-continue", Continue(Framing::Length(5))),
            ("expect-continue-case", "9110/10.1.1", "Expect: 100-Continue", Continue(Framing::Length(5))),
            ("expect-other", "9110/10.1.1", "Expect: 200-ok", other()),
            ("expect-empty", "9110/10.1.1", "Expect:", other()),
            ("expect-list", "9110/10.1.1", "Expect: 100-continue, x", other()),
            ("expect-params", "9110/10.1.1", "Expect: 100-continue;a=b", other()),
            ("expect-both", "9110/10.1.1", "Expect: 100-continue\r\nExpect: x", other()),
        ],
    );
    rows(
        cases,
        Kind::Request,
        REQUEST,
        "\r\n\r\n",
        &[
            ("expect-without-body", "9110/10.1.1", "Expect: 100-continue", Keep(Framing::None)),
            (
                "expect-length-0",
                "9110/10.1.1",
                "Expect: 100-continue\r\nContent-Length: 0",
                Keep(Framing::Length(0)),
            ),
            (
                "expect-chunked",
                "9110/10.1.1",
                "Expect: 100-continue\r\nTransfer-Encoding: chunked",
                Continue(Framing::Chunked),
            ),
        ],
    );
    rows(
        cases,
        Kind::Request,
        REQUEST_1_0,
        "\r\n\r\n",
        &[(
            "expect-1.0-is-ignored",
            "9110/10.1.1",
            "Expect: 100-continue\r\nContent-Length: 5",
            Close(Framing::Length(5)),
        )],
    );
}
