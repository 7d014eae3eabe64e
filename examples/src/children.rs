//! Several services at once, each a process of its own.

use std::{
    env, io,
    process::{Child, Command, Stdio},
};

use signal_hook::{
    consts::{SIGCHLD, SIGINT, SIGTERM},
    iterator::Signals,
};

/// Starts this program once for each command and waits for Ctrl-C, or for one of them to
/// end; then all end: their standard input is a pipe from here.
pub fn run(commands: &[&str]) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGCHLD])?;
    let mut children: Vec<Child> =
        commands.iter().map(|command| start(command)).collect::<io::Result<_>>()?;
    let mut outcome = Ok(());
    for signal in signals.forever() {
        if signal != SIGCHLD {
            break;
        }
        if let Some(index) = children.iter_mut().position(|child| !matches!(child.try_wait(), Ok(None))) {
            outcome = Err(io::Error::other(format!("{} ended, so everything stops", commands[index])));
            break;
        }
    }
    for child in &mut children {
        drop(child.stdin.take());
        child.wait()?;
    }
    outcome
}

fn start(command: &str) -> io::Result<Child> {
    Command::new(env::current_exe()?).args([command, "--exit-with-stdin"]).stdin(Stdio::piped()).spawn()
}
