//! Why nothing could be judged.

use std::fmt::{self, Display};

use eagre_controlplane::Diagnostic;

/// What is wrong with the input, and the code to exit with.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What is wrong; at least one remark.
    diagnostics: Vec<Diagnostic>,
}

impl Failure {
    /// One thing is wrong.
    pub fn new(code: u8, diagnostic: Diagnostic) -> Failure {
        Failure::all(code, vec![diagnostic])
    }

    /// Several things may be.
    pub fn all(code: u8, diagnostics: Vec<Diagnostic>) -> Failure {
        Failure { code, diagnostics }
    }
}

/// The remarks, an empty line between two.
impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, diagnostic) in self.diagnostics.iter().enumerate() {
            f.write_str(if position == 0 { "" } else { "\n\n" })?;
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}
