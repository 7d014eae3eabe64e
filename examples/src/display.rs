//! Prints every event it is sent, dead letters included.

use cloudevents::Event;

use crate::server::Response;

/// Takes the event once the terminal has it.
pub fn take(event: &Event) -> Response {
    // The SDK's own rendering: attributes, extensions, data; without control characters, since
    // what an event says must not steer the terminal.
    for line in event.to_string().lines() {
        println!("display     {}", line.replace(char::is_control, "\u{fffd}"));
    }
    Response::status(202)
}
