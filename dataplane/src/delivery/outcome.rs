//! What an answer means for the delivery. Pure: a table over status codes.

/// The verdict on one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The subscriber has the event; its response may be a reply.
    Delivered,
    /// The subscriber has the event and a reply is not to be read.
    Accepted,
    /// Another attempt may succeed.
    Transient,
    /// No attempt will succeed.
    Permanent,
}

/// Contract 1.10 with design section 5: a 2xx is success and may carry a reply,
/// except 202; 404, 408, 409, 429, every 5xx and every code outside the table
/// are retried; redirects and other 4xx are final. 1xx never get here.
pub(super) const fn verdict(status: u16) -> Verdict {
    match status {
        202 => Verdict::Accepted,
        200..=299 => Verdict::Delivered,
        404 | 408 | 409 | 429 => Verdict::Transient,
        100..=199 | 300..=499 => Verdict::Permanent,
        _ => Verdict::Transient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_the_verdict_of_the_contract() {
        for status in 0..=999 {
            let expected = match status {
                202 => Verdict::Accepted,
                200..=299 => Verdict::Delivered,
                400..=499 if [404, 408, 409, 429].contains(&status) => Verdict::Transient,
                100..=499 => Verdict::Permanent,
                _ => Verdict::Transient,
            };
            assert_eq!(verdict(status), expected, "status {status}");
        }
    }
}
