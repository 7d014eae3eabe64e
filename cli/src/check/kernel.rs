//! The kernel, and whether it lets Eagre use io_uring: asked as the data plane asks when
//! it starts, so that the two never disagree.

use eagre_dataplane::{Driver, Requested, choose_driver};

use super::finding::Finding;

pub fn findings() -> Vec<Finding> {
    vec![release(), io_uring()]
}

fn release() -> Finding {
    let uname = rustix::system::uname();
    let [system, release, machine] =
        [uname.sysname(), uname.release(), uname.machine()].map(|text| text.to_string_lossy().into_owned());
    Finding::ok("kernel", format!("{system} {release} ({machine})"))
}

fn io_uring() -> Finding {
    let choice = choose_driver(Requested::Auto).expect("only a demand for io_uring can fail");
    match choice.driver {
        Driver::Uring => Finding::ok("io_uring", choice.reason),
        Driver::Epoll => Finding::warn(
            "io_uring",
            choice.reason,
            "until then Eagre runs on epoll, with somewhat more CPU per event",
        ),
    }
}
