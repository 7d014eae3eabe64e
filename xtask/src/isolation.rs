//! Trials run in a process and mount namespace of their own: however they end, by an
//! error, Ctrl-C or SIGKILL of the process inside, the kernel ends every process they
//! started and takes down every mount they made, and loop devices go with their mounts.
//! The process outside waits, and removes the directory they worked in.

use std::{
    env,
    path::PathBuf,
    process::{Command, ExitCode},
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::{Context, Result};
use rustix::process::geteuid;

/// Set for the process inside: its working directory.
const VARIABLE: &str = "XTASK_WORK";

/// The working directory, in the process inside.
pub fn work() -> Option<PathBuf> {
    env::var_os(VARIABLE).map(PathBuf::from)
}

/// Runs this command again inside, with the same arguments, and gives its exit code.
///
/// # Errors
/// There is no directory to work in, or no namespace to be had.
pub fn enter() -> Result<ExitCode> {
    let work = tempfile::Builder::new().prefix("eagre-crash-").tempdir().context("make a directory")?;
    // Ctrl-C is for the process inside; this one stays to clear up.
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false))).context("handle signals")?;
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    if !geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.arg(env::current_exe().context("find this program")?).args(env::args_os().skip(1));
    let status = command.env(VARIABLE, work.path()).status();
    let status = status.context("run unshare, which is part of util-linux; is it installed?")?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// Inside, the first process of the namespace: it would ignore Ctrl-C by default.
///
/// # Errors
/// The system refuses the handlers.
pub fn end_on_signals() -> Result<()> {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        let now = Arc::new(AtomicBool::new(true));
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, now)
            .context("handle signals")?;
    }
    Ok(())
}
