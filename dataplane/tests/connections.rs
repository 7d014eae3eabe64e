//! Connections to subscribers: one is used again only when its state is certain, and
//! each event costs exactly the attempts that its subscriber may have seen.

mod support;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use eagre_snapshot::Trigger;
use support::{Plane, Subscriber, answer, delivery, endpoint, event, eventually, snapshot, trigger};

/// A subscriber whose connections are each served by a script, byte by byte.
struct Wire {
    address: SocketAddr,
    /// Connection and id of every event that arrived whole.
    requests: Arc<Mutex<Vec<(usize, String)>>>,
}

struct Connection {
    number: usize,
    stream: TcpStream,
    input: Vec<u8>,
    requests: Arc<Mutex<Vec<(usize, String)>>>,
}

impl Wire {
    fn serve(script: impl Fn(Connection) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Self { address: listener.local_addr().unwrap(), requests: Arc::default() };
        let (requests, script) = (Arc::clone(&wire.requests), Arc::new(script));
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let connection = Connection {
                    number,
                    stream: stream.unwrap(),
                    input: Vec::new(),
                    requests: Arc::clone(&requests),
                };
                let script = Arc::clone(&script);
                thread::spawn(move || script(connection));
            }
        });
        wire
    }

    /// On which connections the event arrived.
    fn arrivals(&self, id: &str) -> Vec<usize> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|(_, arrived)| arrived == id).map(|(number, _)| *number).collect()
    }
}

impl Connection {
    /// Reads a request to its end and gives the event's id; `None` at the end of the
    /// stream.
    fn request(&mut self) -> Option<String> {
        let whole = |input: &[u8]| {
            let text = String::from_utf8_lossy(input).into_owned();
            let (head, body) = text.split_once("\r\n\r\n")?;
            let field = |name: &str| {
                let mut lines = head.lines().filter_map(|line| line.split_once(": "));
                lines.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
            };
            (body.len() >= field("content-length")?.parse().ok()?).then(|| field("ce-id"))?
        };
        let mut chunk = [0; 64 * 1024];
        while whole(&self.input).is_none() {
            match self.stream.read(&mut chunk) {
                Ok(bytes @ 1..) => self.input.extend_from_slice(&chunk[..bytes]),
                _ => return None,
            }
        }
        let id = whole(&self.input)?;
        self.input.clear();
        self.requests.lock().unwrap().push((self.number, id.clone()));
        Some(id)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Closes so that the peer sees an error instead of an end.
    fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// A plane whose only trigger sends to `wire` and has a dead letter sink.
struct Setting {
    plane: Plane,
    wire: Wire,
    sink: Subscriber,
}

fn start(wire: Wire, retry_max: u32) -> Setting {
    let sink = Subscriber::start(|_| answer(202));
    let mut only: Trigger = trigger("t", wire.address);
    only.delivery = delivery(retry_max, 1);
    only.dead_letter = Some(endpoint(&format!("http://{}", sink.address)));
    let plane = Plane::start(&snapshot(vec![only]), &["--shards", "1"]);
    Setting { plane, wire, sink }
}

impl Setting {
    fn post(&self, id: &str, body: &[u8]) {
        assert_eq!(self.plane.send(&event(id, "", body)).status, 202);
    }

    fn count(&self, name: &str) -> u64 {
        self.plane.count("t", name)
    }

    fn delivered(&self, count: u64) {
        eventually("the event is delivered", || self.count("delivered") == count);
    }

    /// The event has reached the dead letter sink, and nothing else is to come.
    fn dead_lettered(&self, id: &str) {
        eventually("the event is given up", || self.count("dead_lettered") == 1);
        let letters = self.sink.received();
        assert_eq!(letters.iter().map(support::Received::id).collect::<Vec<_>>(), [id]);
    }
}

/// Answers the first event of its first connection with 200, then hands the
/// connection over.
fn after_first(
    then: impl Fn(Connection) + Send + Sync + 'static,
    others: impl Fn(Connection) + Send + Sync + 'static,
) -> Wire {
    Wire::serve(move |mut connection| {
        if connection.number > 0 {
            return others(connection);
        }
        if connection.request().is_some() {
            connection.write(&answer(200));
            then(connection);
        }
    })
}

/// Answers every event with `status`.
fn always(status: u16) -> impl Fn(Connection) + Send + Sync + 'static {
    move |mut connection| {
        while connection.request().is_some() {
            connection.write(&answer(status));
        }
    }
}

/// What a subscriber does to a connection that rests.
fn while_it_rests(
    act: impl Fn(Connection) -> Option<Connection> + Send + Sync + 'static,
    status: u16,
) -> Setting {
    let (tell, told) = mpsc::channel();
    let (done, acted) = mpsc::channel();
    let told = Mutex::new(told);
    let wire = after_first(
        move |connection| {
            told.lock().unwrap().recv().unwrap();
            let left = act(connection);
            done.send(()).unwrap();
            // Whatever is sent here as well is answered as elsewhere.
            left.into_iter().for_each(always(status));
        },
        always(status),
    );
    let setting = start(wire, 0);
    setting.post("1", b"x");
    setting.delivered(1);
    tell.send(()).unwrap();
    acted.recv().unwrap();
    setting.post("2", b"x");
    setting
}

#[test]
fn a_second_answer_that_comes_late_answers_no_other_event() {
    let late = |mut connection: Connection| {
        connection.write(&answer(200));
        Some(connection)
    };
    let setting = while_it_rests(late, 500);
    setting.dead_lettered("2");
    assert_eq!(setting.wire.arrivals("2"), [1], "the connection was to be given up");
    assert_eq!((setting.count("delivered"), setting.count("failed")), (1, 1));
}

#[test]
fn any_byte_on_a_resting_connection_ends_it_and_costs_nothing() {
    for bytes in [b"H".as_slice(), b"\r\n", b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"] {
        let stray = move |mut connection: Connection| {
            connection.write(bytes);
            Some(connection)
        };
        let setting = while_it_rests(stray, 200);
        setting.delivered(2);
        assert_eq!(setting.wire.arrivals("2"), [1], "after {bytes:?}");
        assert_eq!(setting.count("failed"), 0);
    }
}

#[test]
fn a_connection_that_is_closed_while_it_rests_costs_no_attempt() {
    let close: fn(Connection) -> Option<Connection> = |connection| {
        drop(connection);
        None
    };
    let reset: fn(Connection) -> Option<Connection> = |connection| {
        connection.reset();
        None
    };
    let say_goodbye: fn(Connection) -> Option<Connection> = |mut connection| {
        connection.write(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        None
    };
    for act in [close, reset, say_goodbye] {
        let setting = while_it_rests(act, 200);
        setting.delivered(2);
        assert_eq!(setting.wire.arrivals("2"), [1]);
        assert_eq!((setting.count("failed"), setting.count("retries")), (0, 0));
    }
}

/// What a subscriber does instead of an answer to the event `2`.
type Fail = fn(Connection);

/// Every way not to answer a request that was sent whole.
const FAILURES: [(&str, Fail); 5] = [
    ("closed", drop),
    ("reset", Connection::reset),
    ("closed within the head", |mut connection| connection.write(b"HTTP/1.1 200 OK\r\ncontent-")),
    ("reset within the head", |mut connection| {
        connection.write(b"HTTP/1.1 200 OK\r\n");
        connection.reset();
    }),
    ("closed within the body", |mut connection| {
        connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf");
    }),
];

/// Answers the event `1` and fails any other.
fn fails(fail: Fail) -> impl Fn(Connection) + Send + Sync + 'static {
    move |mut connection| {
        while let Some(id) = connection.request() {
            if id != "1" {
                return fail(connection);
            }
            connection.write(&answer(200));
        }
    }
}

/// Whether each failure costs one attempt, on a new connection or on one that has
/// answered the event `1`.
fn costs_one_attempt(is_used: bool) {
    for (name, fail) in FAILURES {
        for retry_max in [0, 2] {
            let setting = start(Wire::serve(fails(fail)), retry_max);
            if is_used {
                setting.post("1", b"x");
                setting.delivered(1);
            }
            setting.post("2", b"x");
            setting.dead_lettered("2");
            let connections: Vec<usize> = (0..=retry_max as usize).collect();
            assert_eq!(setting.wire.arrivals("2"), connections, "{name}, {retry_max} retries");
            assert_eq!(setting.count("failed"), u64::from(retry_max) + 1, "{name}");
        }
    }
}

#[test]
fn a_request_that_was_sent_whole_and_got_no_answer_is_one_attempt() {
    costs_one_attempt(false);
}

#[test]
fn so_it_is_on_a_connection_that_had_answered_before() {
    costs_one_attempt(true);
}

/// Reads a byte of the event `2` and goes.
fn takes_a_byte(seen: Arc<Mutex<Vec<usize>>>) -> impl Fn(Connection) + Send + Sync + 'static {
    move |mut connection| {
        if connection.stream.read(&mut [0]).is_ok_and(|bytes| bytes == 1) {
            seen.lock().unwrap().push(connection.number);
            connection.reset();
        }
    }
}

#[test]
fn a_reset_at_the_first_byte_is_one_attempt_however_long_the_event() {
    for body in [10, 1 << 20] {
        for retry_max in [0, 2] {
            let seen = Arc::<Mutex<Vec<usize>>>::default();
            let setting = start(Wire::serve(takes_a_byte(Arc::clone(&seen))), retry_max);
            setting.post("2", &vec![b'x'; body]);
            setting.dead_lettered("2");
            let connections: Vec<usize> = (0..=retry_max as usize).collect();
            assert_eq!(*seen.lock().unwrap(), connections, "{body} bytes");
            assert_eq!(setting.count("failed"), u64::from(retry_max) + 1);
        }
    }
}

#[test]
fn a_reset_at_the_first_byte_on_a_used_connection_is_one_attempt_too() {
    for body in [10, 1 << 20] {
        for retry_max in [0, 2] {
            let seen = Arc::<Mutex<Vec<usize>>>::default();
            let take = || takes_a_byte(Arc::clone(&seen));
            let setting = start(after_first(take(), take()), retry_max);
            setting.post("1", b"x");
            setting.delivered(1);
            setting.post("2", &vec![b'x'; body]);
            setting.dead_lettered("2");
            let connections: Vec<usize> = (0..=retry_max as usize).collect();
            assert_eq!(*seen.lock().unwrap(), connections, "{body} bytes");
            assert_eq!(setting.count("failed"), u64::from(retry_max) + 1);
        }
    }
}

/// The server's word that it has waited long enough for a next request.
const GOODBYE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

fn says_goodbye(mut connection: Connection) {
    if connection.request().is_some() {
        connection.write(GOODBYE);
    }
}

#[test]
fn a_408_that_ends_a_used_connection_is_no_failure() {
    let setting = start(after_first(says_goodbye, always(200)), 0);
    setting.post("1", b"x");
    setting.delivered(1);
    setting.post("2", b"x");
    setting.delivered(2);
    assert_eq!(setting.wire.arrivals("2"), [0, 1]);
    assert_eq!((setting.count("failed"), setting.count("retries")), (0, 0));
}

#[test]
fn a_408_on_a_new_connection_or_one_that_stays_open_is_a_failure() {
    let new = start(Wire::serve(says_goodbye), 1);
    new.post("2", b"x");
    new.dead_lettered("2");
    assert_eq!((new.wire.arrivals("2"), new.count("failed")), (vec![0, 1], 2));

    let stays = start(after_first(always(408), always(408)), 1);
    stays.post("1", b"x");
    stays.delivered(1);
    stays.post("2", b"x");
    stays.dead_lettered("2");
    assert_eq!((stays.wire.arrivals("2"), stays.count("failed")), (vec![0, 0], 2));
}

/// Refuses by the head alone, and closes over what it has not read.
fn refuses_early(mut connection: Connection) {
    if connection.stream.read(&mut [0; 64]).is_ok() {
        connection.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\n\r\nlarge");
    }
}

#[test]
fn a_refusal_that_does_not_wait_for_the_whole_event_is_the_answer() {
    for used in [false, true] {
        let wire = if used { after_first(refuses_early, refuses_early) } else { Wire::serve(refuses_early) };
        let setting = start(wire, 5);
        if used {
            setting.post("1", b"x");
            setting.delivered(1);
        }
        setting.post("2", &vec![b'x'; 1 << 20]);
        setting.dead_lettered("2");
        // It is final, whatever retries there would be.
        assert_eq!(setting.count("failed"), 1);
        assert_eq!(setting.sink.received()[0].fields["ce-knativeerrorcode"], "413");
    }
}
