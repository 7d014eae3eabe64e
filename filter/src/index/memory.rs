//! Outcomes of shared conditions during one event.

use crate::limits::REMEMBERED_CONDITIONS_MAX;

/// Two bits a condition: known, and its outcome.
pub(crate) struct Memory {
    bits: [u64; Memory::WORDS],
}

impl Memory {
    const PER_WORD: usize = 32;
    const WORDS: usize = REMEMBERED_CONDITIONS_MAX / Memory::PER_WORD;

    pub(crate) fn new() -> Memory {
        Memory { bits: [0; Memory::WORDS] }
    }

    pub(crate) fn recall(&self, at: u16) -> Option<bool> {
        let (word, shift) = Memory::locate(at);
        let bits = self.bits[word] >> shift;
        (bits & 1 != 0).then_some(bits & 2 != 0)
    }

    pub(crate) fn remember(&mut self, at: u16, outcome: bool) {
        let (word, shift) = Memory::locate(at);
        self.bits[word] |= (1 | u64::from(outcome) << 1) << shift;
    }

    fn locate(at: u16) -> (usize, usize) {
        let at = usize::from(at);
        (at / Memory::PER_WORD, at % Memory::PER_WORD * 2)
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;
    use crate::limits::REMEMBERED_CONDITIONS_MAX;

    #[test]
    fn every_place_remembers_on_its_own() {
        let mut memory = Memory::new();
        for at in (0..REMEMBERED_CONDITIONS_MAX as u16).step_by(3) {
            memory.remember(at, at % 2 == 0);
        }
        for at in 0..REMEMBERED_CONDITIONS_MAX as u16 {
            assert_eq!(memory.recall(at), (at % 3 == 0).then_some(at % 2 == 0));
        }
    }
}
