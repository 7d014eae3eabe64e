//! Between a control plane and its API server: what passes is counted, and a script
//! decides what becomes of it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use futures_util::{AsyncBufReadExt, TryStreamExt, pin_mut};
use kube::Client;
use tokio::runtime::Handle;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It passes.
    Pass,
    /// It is answered with this status, and never arrives.
    Refuse(u16),
    /// It arrives, and the answer is lost with the connection.
    LoseAnswer,
    /// A watch ends after so many events.
    CutAfter(usize),
    /// A watch tells that its version is too old.
    Expire,
}

/// Method and path with query.
pub type Script = dyn Fn(&str, &str) -> Fate + Send + Sync;

/// The script and the counters, of every connection.
type Shared = (Arc<Mutex<Box<Script>>>, Arc<AtomicUsize>, Arc<AtomicUsize>);

/// A proxy that ends with the process.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    /// Requests so far.
    pub requests: Arc<AtomicUsize>,
    /// Those of them that did not simply pass.
    pub faults: Arc<AtomicUsize>,
    script: Arc<Mutex<Box<Script>>>,
}

impl Proxy {
    /// To be called in a runtime, which carries the requests on.
    pub fn start(upstream: Client) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let pass: Box<Script> = Box::new(|_, _| Fate::Pass);
        let proxy = Proxy {
            address,
            requests: Arc::default(),
            faults: Arc::default(),
            script: Arc::new(Mutex::new(pass)),
        };
        let handle = Handle::current();
        let shared: Shared =
            (Arc::clone(&proxy.script), Arc::clone(&proxy.requests), Arc::clone(&proxy.faults));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (handle, upstream) = (handle.clone(), upstream.clone());
                let shared = shared.clone();
                // An error is a connection that somebody closed.
                thread::spawn(move || _ = serve(stream, &handle, &upstream, &shared));
            }
        });
        proxy
    }

    /// From now on this decides.
    pub fn script(&self, script: impl Fn(&str, &str) -> Fate + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// A kubeconfig that leads through it.
    pub fn kubeconfig(&self) -> String {
        serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "c", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        })
        .to_string()
    }
}

fn serve(
    mut stream: TcpStream,
    handle: &Handle,
    upstream: &Client,
    (script, requests, faults): &Shared,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut request = http::Request::builder().method(method).uri(path);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap_or(0),
                "content-type" | "accept" => request = request.header(name, value),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let request = request.body(body).unwrap();
        requests.fetch_add(1, Ordering::Relaxed);
        let fate = script.lock().unwrap()(method, path);
        faults.fetch_add(usize::from(fate != Fate::Pass), Ordering::Relaxed);
        match fate {
            Fate::Refuse(code) => answer(&mut stream, code, &status(code))?,
            Fate::Expire => {
                let event = format!(r#"{{"type":"ERROR","object":{}}}"#, status(410));
                answer(&mut stream, 200, &event)?;
            }
            Fate::LoseAnswer => {
                let _ = handle.block_on(upstream.request_text(request));
                return Ok(());
            }
            Fate::Pass | Fate::CutAfter(_) if path.contains("watch=true") => {
                let events = if let Fate::CutAfter(events) = fate { events } else { usize::MAX };
                return handle.block_on(watch(&mut stream, upstream, request, events));
            }
            Fate::Pass | Fate::CutAfter(_) => match handle.block_on(upstream.request_text(request)) {
                Ok(text) => answer(&mut stream, 200, &text)?,
                Err(kube::Error::Api(refused)) => {
                    answer(&mut stream, refused.code, &serde_json::to_string(&refused)?)?;
                }
                Err(error) => return Err(std::io::Error::other(error)),
            },
        }
    }
}

async fn watch(
    stream: &mut TcpStream,
    upstream: &Client,
    request: http::Request<Vec<u8>>,
    events: usize,
) -> std::io::Result<()> {
    let lines = match upstream.request_stream(request).await {
        Ok(body) => body.lines(),
        Err(kube::Error::Api(refused)) => {
            return answer(stream, refused.code, &serde_json::to_string(&refused)?);
        }
        Err(error) => return Err(std::io::Error::other(error)),
    };
    stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    )?;
    pin_mut!(lines);
    for _ in 0..events {
        let Some(line) = lines.try_next().await? else {
            return stream.write_all(b"0\r\n\r\n");
        };
        write!(stream, "{:x}\r\n{line}\n\r\n", line.len() + 1)?;
    }
    Ok(())
}

fn status(code: u16) -> String {
    let reason = match code {
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        401 => "Unauthorized",
        _ => "InternalError",
    };
    serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "as the script says", "reason": reason, "code": code})
    .to_string()
}

fn answer(stream: &mut TcpStream, code: u16, text: &str) -> std::io::Result<()> {
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 {code} Scripted\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{text}"
    )
}
