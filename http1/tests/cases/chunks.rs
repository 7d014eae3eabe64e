//! Chunked bodies.

use eagre_http1::Refusal::{
    BodyTooLong, ChunkEnding, ChunkExtension, ChunkLineTooLong, ChunkSize, Trailer, TrailerTooLong,
};

use super::{
    Case, Kind,
    Verdict::{Data, Incomplete, Refuse},
    rows,
};

pub fn add(cases: &mut Vec<Case>) {
    rows(
        cases,
        Kind::Body,
        "",
        "\r\nabcde\r\n0\r\n\r\n",
        &[
            ("size", "7.1", "5", Data("abcde")),
            ("size-leading-zeros", "7.1", "0000000000000005", Data("abcde")),
            ("size-17-digits", "own", "00000000000000005", Refuse(ChunkSize)),
            ("size-max", "7.1", "ffffffffffffffff", Refuse(BodyTooLong)),
            ("size-overflow", "7.1", "10000000000000005", Refuse(ChunkSize)),
            ("size-empty", "7.1", "", Refuse(ChunkSize)),
            ("size-prefix", "7.1", "0x5", Refuse(ChunkSize)),
            ("size-plus", "7.1", "+5", Refuse(ChunkSize)),
            ("size-minus", "7.1", "-5", Refuse(ChunkSize)),
            ("size-underscore", "7.1", "0_5", Refuse(ChunkSize)),
            ("size-not-hex", "7.1", "5g", Refuse(ChunkSize)),
            ("size-space-before", "7.1", " 5", Refuse(ChunkSize)),
            ("size-space-behind", "7.1", "5 ", Refuse(ChunkSize)),
            ("size-tab-behind", "7.1", "5\t", Refuse(ChunkSize)),
            ("size-nul", "7.1", "5\0", Refuse(ChunkSize)),
            ("size-comma", "7.1", "5,5", Refuse(ChunkSize)),
            ("size-high-byte", "7.1", "5\u{a0}", Refuse(ChunkSize)),
            ("size-crcr", "7.1", "5\r", Refuse(ChunkEnding)),
            ("extension", "7.1.1", "5;a", Data("abcde")),
            ("extension-value", "7.1.1", "5;a=b", Data("abcde")),
            ("extension-quoted", "7.1.1", "5;a=\"b;c\"", Data("abcde")),
            ("extension-no-name", "7.1.1", "5;", Refuse(ChunkExtension)),
            ("extension-space-first", "own", "5; a", Refuse(ChunkExtension)),
            ("extension-space-before", "own", "5 ;a", Refuse(ChunkSize)),
            ("extension-lf", "7.1.1", "5;a\nb", Refuse(ChunkExtension)),
            ("extension-nul", "7.1.1", "5;a\0", Refuse(ChunkExtension)),
            ("extension-bare-cr", "7.1.1", "5;a\rb", Refuse(ChunkEnding)),
            ("extension-at-limit", "own", "5;0123456789012345678901234567890123456", Data("abcde")),
            (
                "extension-over-limit",
                "own",
                "5;012345678901234567890123456789012345678",
                Refuse(ChunkLineTooLong),
            ),
        ],
    );
    rows(
        cases,
        Kind::Body,
        "",
        "",
        &[
            ("body-empty", "7.1", "0\r\n\r\n", Data("")),
            ("body-zeros", "7.1", "000\r\n\r\n", Data("")),
            ("body-two-chunks", "7.1", "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n", Data("abcde")),
            ("body-crlf-in-data", "7.1", "4\r\n\r\n0\r\r\n0\r\n\r\n", Data("\r\n0\r")),
            ("body-upper-case", "7.1", "A\r\n0123456789\r\n0\r\n\r\n", Data("0123456789")),
            ("body-lower-case", "7.1", "a\r\n0123456789\r\n0\r\n\r\n", Data("0123456789")),
            ("body-next-message-stays", "9.3.2", "1\r\na\r\n0\r\n\r\nGET / HTTP/1.1", Data("a")),
            ("body-last-extension", "7.1.1", "0;a=b\r\n\r\n", Data("")),
            ("size-lf", "7.1", "5\nabcde\r\n0\r\n\r\n", Refuse(ChunkSize)),
            ("data-lf", "7.1", "5\r\nabcde\n0\r\n\r\n", Refuse(ChunkEnding)),
            ("data-cr", "7.1", "5\r\nabcde\r0\r\n\r\n", Refuse(ChunkEnding)),
            ("data-no-end", "7.1", "5\r\nabcde0\r\n\r\n", Refuse(ChunkEnding)),
            ("data-longer", "7.1", "4\r\nabcde\r\n0\r\n\r\n", Refuse(ChunkEnding)),
            ("data-shorter", "7.1", "6\r\nabcde\r\n0\r\n\r\n", Refuse(ChunkEnding)),
            ("last-lf", "7.1", "0\n\r\n", Refuse(ChunkSize)),
            ("end-lf", "7.1", "0\r\n\n", Refuse(ChunkEnding)),
            ("end-cr", "7.1", "0\r\n\rX", Refuse(ChunkEnding)),
            ("end-missing", "7.1", "0\r\n", Incomplete),
            ("end-half", "7.1", "0\r\n\r", Incomplete),
            ("body-nothing", "7.1", "", Incomplete),
            ("size-half", "7.1", "5", Incomplete),
            ("data-half", "7.1", "5\r\nab", Incomplete),
            ("body-at-limit", "own", "20\r\n01234567890123456789012345678901\r\n0\r\n\r\n", Data(FULL)),
            ("body-over-limit", "own", "21\r\n", Refuse(BodyTooLong)),
            (
                "body-sum-over-limit",
                "own",
                "1f\r\n0123456789012345678901234567890\r\n2\r\n",
                Refuse(BodyTooLong),
            ),
        ],
    );
    trailers(cases);
}

const FULL: &str = "01234567890123456789012345678901";

fn trailers(cases: &mut Vec<Case>) {
    let bad = || Refuse(Trailer);
    rows(
        cases,
        Kind::Body,
        "1\r\na\r\n0\r\n",
        "\r\n\r\n",
        &[
            ("trailer", "7.1.2", "X-Sum: 1", Data("a")),
            ("trailer-two", "7.1.2", "X-A: 1\r\nX-B:", Data("a")),
            (
                "trailer-fills-limit",
                "own",
                "X: 7890123456789012345678901234567890123456789012345678901234",
                Data("a"),
            ),
            ("trailer-over-limit", "own", OVER, Refuse(TrailerTooLong)),
            ("trailer-no-colon", "7.1.2", "X", bad()),
            ("trailer-no-name", "7.1.2", ": x", bad()),
            ("trailer-space-before-colon", "5.1", "X : x", bad()),
            ("trailer-fold", "5.2", "X: a\r\n b", bad()),
            ("trailer-nul", "9110/5.5", "X: a\0", bad()),
            ("trailer-bare-lf", "2.2", "X: a\nY: b", Refuse(ChunkEnding)),
            ("trailer-bare-cr", "2.2", "X: a\rb", Refuse(ChunkEnding)),
            ("trailer-length", "9110/6.5.1", "Content-Length: 5", bad()),
            ("trailer-coding", "9110/6.5.1", "transfer-encoding: chunked", bad()),
            ("trailer-host", "9110/6.5.1", "Host: a", bad()),
            ("trailer-connection", "9110/6.5.1", "Connection: close", bad()),
            ("trailer-content-type", "9110/6.5.1", "Content-Type: a/b", bad()),
            ("trailer-content-encoding", "9110/6.5.1", "Content-Encoding: gzip", bad()),
            ("trailer-authorization", "9110/6.5.1", "AUTHORIZATION: x", bad()),
            ("trailer-expect", "9110/6.5.1", "Expect: 100-continue", bad()),
            ("trailer-trailer", "9110/6.5.1", "Trailer: x", bad()),
        ],
    );
}

const OVER: &str = "X: 78901234567890123456789012345678901234567890123456789012345678";
