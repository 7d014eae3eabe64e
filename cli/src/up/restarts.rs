//! Whether and when a plane that ended is started again. Pure: times come in.

use std::time::Duration;

use crate::exit;

/// Wait before the first restart; doubles with each.
pub const DELAY_MIN: Duration = Duration::from_millis(100);
/// The longest wait: a plane that dies for good costs six starts a minute.
pub const DELAY_MAX: Duration = Duration::from_secs(10);
/// Having run this long, a plane counts as healthy and its history as forgotten.
pub const HEALTHY_AFTER: Duration = Duration::from_secs(30);
/// Starts without ever having been healthy. At a terminal somebody waits for the first
/// one; what fails this often there fails for a reason that is printed above.
pub const FIRST_STARTS_MAX: u32 = 5;

/// What happened to a plane so far.
#[derive(Debug, Default)]
pub struct Restarts {
    /// It has done its work at least once.
    proven: bool,
    failures: u32,
}

/// What to do about a plane that ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Start it again after this long.
    Restart(Duration),
    /// Stop everything, with this exit code.
    GiveUp(u8),
}

impl Restarts {
    /// It does its work.
    pub fn prove(&mut self) {
        self.proven = true;
    }

    /// Whether it ever did.
    pub fn is_proven(&self) -> bool {
        self.proven
    }

    /// It ended after `lifetime`; `code` is its exit code, `None` if a signal ended it.
    /// A code that a restart cannot mend is final.
    pub fn judge(&mut self, code: Option<u8>, lifetime: Duration) -> Verdict {
        if let Some(code) = code
            && !restart_helps(code)
        {
            return Verdict::GiveUp(code);
        }
        if lifetime >= HEALTHY_AFTER {
            *self = Restarts { proven: true, failures: 0 };
        }
        self.failures += 1;
        if !self.proven && self.failures >= FIRST_STARTS_MAX {
            return Verdict::GiveUp(code.filter(|&code| code != exit::OK).unwrap_or(exit::SOFTWARE));
        }
        let doublings = (self.failures - 1).min(16);
        Verdict::Restart((DELAY_MIN * (1 << doublings)).min(DELAY_MAX))
    }
}

/// Codes of either plane. 0 is a plane that somebody else asked to stop; the supervisor
/// was not asked.
fn restart_helps(code: u8) -> bool {
    code == exit::OK || eagre_dataplane::exit::restart_helps(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restart_ms(ms: u64) -> Verdict {
        Verdict::Restart(Duration::from_millis(ms))
    }

    #[test]
    fn waits_double_up_to_ten_seconds() {
        let mut restarts = Restarts::default();
        restarts.prove();
        for ms in [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000] {
            assert_eq!(restarts.judge(None, Duration::ZERO), restart_ms(ms));
        }
        for _ in 0..100 {
            assert_eq!(restarts.judge(Some(74), Duration::ZERO), restart_ms(10_000));
        }
    }

    #[test]
    fn thirty_seconds_of_health_forget_the_past() {
        let mut restarts = Restarts::default();
        restarts.prove();
        assert_eq!(restarts.judge(None, Duration::ZERO), restart_ms(100));
        assert_eq!(restarts.judge(None, Duration::from_millis(29_999)), restart_ms(200));
        assert_eq!(restarts.judge(None, HEALTHY_AFTER), restart_ms(100));
    }

    #[test]
    fn what_a_restart_cannot_mend_is_final() {
        for code in [exit::USAGE, eagre_dataplane::exit::DAMAGE, 66, 73, exit::CONFIG] {
            let mut restarts = Restarts::default();
            restarts.prove();
            assert_eq!(restarts.judge(Some(code), HEALTHY_AFTER), Verdict::GiveUp(code));
        }
    }

    #[test]
    fn a_plane_that_never_worked_is_given_up_with_its_own_code() {
        let last = |code| {
            let mut restarts = Restarts::default();
            for _ in 1..FIRST_STARTS_MAX {
                assert!(matches!(restarts.judge(code, Duration::ZERO), Verdict::Restart(_)));
            }
            restarts.judge(code, Duration::ZERO)
        };
        assert_eq!(last(Some(71)), Verdict::GiveUp(71));
        assert_eq!(last(None), Verdict::GiveUp(exit::SOFTWARE));
        assert_eq!(last(Some(0)), Verdict::GiveUp(exit::SOFTWARE));
    }
}
