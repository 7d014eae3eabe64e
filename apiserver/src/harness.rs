//! Test binaries that find out when they run whether they can: what cargo's own
//! harness decides when it compiles.

use std::{env, pin::Pin, process::ExitCode};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::runtime::Runtime;

use crate::{Binaries, Error, server};

/// A test's name and body.
pub type Test = (&'static str, fn() -> Pin<Box<dyn Future<Output = ()>>>);

/// The `main` of a test binary, from the names of its tests, which are `async fn`s
/// without arguments that panic when they fail. Each runs on a runtime of its own.
///
/// The binary needs `harness = false` in the manifest and then takes the arguments of
/// every other one. `#[test]` has no meaning in it: the compiler passes over such
/// functions, while one that is missing in the list is reported as unused.
///
/// ```no_run
/// async fn the_server_has_a_version() {
///     let server = eagre_apiserver::ApiServer::shared().await.unwrap();
///     server.admin().unwrap().apiserver_version().await.unwrap();
/// }
///
/// eagre_apiserver::tests! { the_server_has_a_version }
/// ```
#[macro_export]
macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        fn main() -> std::process::ExitCode {
            $crate::run(&[$((stringify!($name), || Box::pin($name()))),+])
        }
    };
}

/// Runs the tests as the arguments of this process want it.
#[doc(hidden)]
pub fn run(tests: &'static [Test]) -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = tests.iter().map(|&(name, test)| Trial::ignorable_test(name, move || attempt(test)));
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    server::end_shared();
    conclusion.exit_code()
}

fn attempt(test: fn() -> Pin<Box<dyn Future<Output = ()>>>) -> Result<Completion, Failed> {
    let required = env::var_os("EAGRE_REQUIRE_APISERVER").is_some_and(|value| value == "1");
    match Binaries::get() {
        Ok(_) => {
            Runtime::new()?.block_on(test());
            Ok(Completion::Completed)
        }
        Err(reason @ Error::Unavailable(_)) if !required => Ok(Completion::ignored_with(reason)),
        Err(error) => Err(error.into()),
    }
}
