//! How the supervisor learns that the data plane serves: the file it writes for that,
//! then its readiness endpoint.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use serde::Deserialize;

/// Name of the file in the snapshot's directory.
const FILE: &str = "dataplane.json";

/// One question about readiness; on loopback the answer takes well under a millisecond.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(250);

/// What the data plane says of itself once it serves.
#[derive(Clone, Debug, Deserialize)]
pub struct Serving {
    /// Its process id; a file of an earlier process has another.
    pub pid: u32,
    /// Where it takes events.
    pub listen: SocketAddr,
    /// Where its admin interface is.
    pub admin: SocketAddr,
    /// How its shards wait for the kernel.
    pub driver: String,
    /// Why so.
    pub driver_reason: String,
    /// Number of shards.
    pub shards: usize,
    /// When it acknowledges.
    pub fsync: String,
}

impl Serving {
    /// What the process `pid` wrote into `snapshot`, once it has.
    pub fn of(snapshot: &Path, pid: u32) -> Option<Serving> {
        let text = fs::read(snapshot.join(FILE)).ok()?;
        serde_json::from_slice(&text).ok().filter(|serving: &Serving| serving.pid == pid)
    }

    /// Whether it is ready: serves, and has applied a configuration.
    pub fn is_ready(&self) -> bool {
        self.ask_readiness().is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200 "))
    }

    fn ask_readiness(&self) -> std::io::Result<[u8; 13]> {
        let mut stream = TcpStream::connect_timeout(&self.admin, ANSWER_TIMEOUT)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.admin)?;
        let mut answer = [0; 13];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}
