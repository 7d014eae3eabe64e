//! The data plane as a program of its own, as container images carry it.

use std::process::ExitCode;

fn main() -> ExitCode {
    match eagre_dataplane::Args::from_command_line() {
        Ok(args) => eagre_dataplane::run(&args),
        Err(code) => code,
    }
}
