//! What ties a plane to its supervisor: its standard input is a pipe that only the
//! supervisor holds open, so that it ends when the supervisor does, however that ends.
//! (The kernel's parent death signal would do as well, but can only be asked for in a
//! child between fork and exec, which takes `unsafe`.)

use std::{env, io, thread};

use rustix::process::{Signal, getpid, kill_process};

/// Set for processes on a leash: a plane started by hand may have any standard input.
pub const VARIABLE: &str = "EAGRE_SUPERVISED";

/// Makes the end of standard input the same as SIGTERM, if a supervisor started this
/// process.
pub fn wear() {
    if env::var_os(VARIABLE).is_none() {
        return;
    }
    let leash = thread::Builder::new().name("leash".into()).spawn(|| {
        // Nothing is ever sent; an error means the same as the end.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = kill_process(getpid(), Signal::TERM);
    });
    if leash.is_err() {
        eprintln!("eagre: no thread to watch the supervisor; stop this process by hand if that is killed");
    }
}
