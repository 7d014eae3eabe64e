//! The `eagre-controlplane` binary: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use eagre_controlplane::{Args, exit, run};

fn main() -> ExitCode {
    match Args::try_parse() {
        Ok(args) => run(args),
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { exit::OK };
            // Help for a pipe that was closed is nobody's loss.
            let _ = error.print();
            ExitCode::from(code)
        }
    }
}
