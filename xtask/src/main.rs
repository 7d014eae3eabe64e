//! Tasks of the project: crash trials and their ledger.

fn main() {}
