//! The services of `examples/orders.yaml`.
//!
//! ```text
//! cargo run --release --locked -- up -f examples/orders.yaml      # one terminal
//! cargo run --release --locked -p eagre-examples                  # another: the services
//! cargo run --release --locked -p eagre-examples -- send          # a third: orders
//! ```
//!
//! Each service is a process of its own, as it would be in production. Events are read
//! and built with the CloudEvents SDK; the server below them is as small as can be,
//! because the services are what is to be read here.

mod children;
mod server;

mod display;
mod fulfilment;
mod payments;

mod send;

use std::{error::Error, io, process::ExitCode, thread};

use clap::{Parser, Subcommand};

/// The services of examples/orders.yaml; without a command, all three
#[derive(Debug, Parser)]
#[command(name = "orders", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// Stop when standard input ends, as it does when the process that started this one dies
    #[arg(long, global = true, hide = true)]
    exit_with_stdin: bool,
}

const EXAMPLES: &str = "\
Examples:
  orders                                     display, fulfilment and payments, until Ctrl-C
  orders display                             one of them alone
  orders send --count 3                      three orders and one payment";

#[derive(Debug, Subcommand)]
enum Command {
    /// Print every event (port 8201)
    Display,
    /// Answer an order with the event that it has shipped (port 8202)
    Fulfilment,
    /// Refuse everything with 503, as a service that is down (port 8203)
    Payments,
    /// Post a few events to the broker
    Send(send::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.exit_with_stdin {
        thread::spawn(|| {
            // The end and an error mean the same here.
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            std::process::exit(0);
        });
    }
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("orders: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Option<Command>) -> Result<(), Box<dyn Error>> {
    match command {
        None => children::run(&["display", "fulfilment", "payments"])?,
        Some(Command::Display) => server::serve(8201, display::take)?,
        Some(Command::Fulfilment) => server::serve(8202, fulfilment::take)?,
        Some(Command::Payments) => server::serve(8203, payments::take)?,
        Some(Command::Send(args)) => send::send(&args)?,
    }
    Ok(())
}
