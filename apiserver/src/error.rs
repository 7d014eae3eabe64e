//! Why there is no server, or why it did not do what a test wants of it.

/// Each says what to do about it, where there is something to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// This machine has no API server and cannot build one: a reason to skip a test.
    #[error("no Kubernetes API server for tests: {0}")]
    Unavailable(String),
    /// `$KUBEBUILDER_ASSETS` names a folder that lacks a program.
    #[error(
        "$KUBEBUILDER_ASSETS is {folder}, where {missing} is missing; put it there, or unset the variable to have both built"
    )]
    Assets {
        /// The variable's value.
        folder: String,
        /// The names of the programs that are not there.
        missing: String,
    },
    /// A program does not start or does not become ready; with the end of its log.
    #[error("{0}")]
    Start(String),
    /// The server refused what was asked of it, or did not do it in time.
    #[error("{what}: {cause}")]
    Request {
        /// What was asked.
        what: String,
        /// The client's or the server's words.
        cause: String,
    },
    /// A file or a process of ours.
    #[error("{what}: {cause}")]
    Machine {
        /// What was tried.
        what: String,
        /// The operating system's words.
        cause: String,
    },
}

impl Error {
    pub(crate) fn machine(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |error| Self::Machine { what, cause: error.to_string() }
    }

    pub(crate) fn request<E: std::fmt::Display>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |error| Self::Request { what, cause: error.to_string() }
    }
}
