//! The `eagre` command: both planes of Eagre in one binary, and the tools around
//! them.
//!
//! Promise: `eagre up` leaves no process behind, however it ends. Which plane a
//! process is, its `argv[0]` decides, so that each shows under its own name in
//! `ps`. Deliberately absent: everything the planes do; this crate starts them,
//! watches them, and talks to people.

mod args;
mod exit;
mod help;

mod check;
mod display;
mod filter;
mod install;
mod signals;
mod up;
mod wal;

use std::{env, ffi::CStr, io::Write as _, path::Path, process::ExitCode};

use clap::{CommandFactory, Parser};

use crate::args::{Cli, Command};

/// `argv[0]` of the process that is the data plane.
const DATAPLANE: &str = "eagre-dataplane";
/// `argv[0]` of the process that is the control plane.
const CONTROLPLANE: &str = "eagre-controlplane";

fn main() -> ExitCode {
    let name = env::args_os().next().unwrap_or_default();
    match Path::new(&name).file_name().and_then(|name| name.to_str()) {
        Some(DATAPLANE) => dataplane(),
        Some(CONTROLPLANE) => controlplane(),
        _ => command(),
    }
}

fn dataplane() -> ExitCode {
    show_as(c"eagre-dataplane");
    up::leash::wear();
    parse().map_or_else(ExitCode::from, |args| eagre_dataplane::run(&args))
}

fn controlplane() -> ExitCode {
    show_as(c"eagre-controlplane");
    up::leash::wear();
    parse().map_or_else(ExitCode::from, eagre_controlplane::run)
}

fn command() -> ExitCode {
    let cli: Cli = match parse() {
        Ok(cli) => cli,
        Err(code) => return code.into(),
    };
    match cli.command {
        Command::Up(args) => up::run(&args).into(),
        Command::Check(args) => check::run(&args).into(),
        Command::Settings => {
            // Nothing is left to do where standard output is closed.
            let _ = std::io::stdout().write_all(eagre_dataplane::sample_settings().as_bytes());
            exit::OK.into()
        }
        Command::Filter(command) => filter::run(&command).into(),
        Command::Install(args) => install::run(&args).into(),
        Command::Wal(command) => wal::run(&command).into(),
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "eagre", &mut std::io::stdout());
            exit::OK.into()
        }
    }
}

/// Reads the command line; an error is the code to exit with, after help (0) or
/// misuse ([`exit::USAGE`]) was printed.
fn parse<A: Parser>() -> Result<A, u8> {
    A::try_parse().map_err(|error| {
        // Nothing is left to do where even standard error is closed.
        let _ = error.print();
        if error.use_stderr() { exit::USAGE } else { exit::OK }
    })
}

/// Sets the name `ps` and `top` show, which is that of the executed file
/// otherwise. The kernel cuts it at 15 bytes.
fn show_as(name: &CStr) {
    // A name is a courtesy; without it everything works.
    let _ = rustix::thread::set_name(name);
}
