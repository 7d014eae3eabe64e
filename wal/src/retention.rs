//! Which segments nobody needs.
//!
//! A segment may go when every consumer is done with all of it, and when every
//! table of cursors that a restart could find says so. Cursors in memory may be
//! ahead of those in the log, and those in the log ahead of those on the disk.

use crate::lsn::Lsn;

/// Cursors that are in the log and may not be on the disk.
#[derive(Clone, Copy, Debug)]
struct Stored {
    /// Where the record of the newest ends.
    end: Lsn,
    /// The low mark of the newest: once they are on the disk, a restart finds no
    /// older ones.
    newest: Lsn,
    /// The lowest low mark of them all.
    lowest: Lsn,
}

/// The position below which every consumer is done, whatever table of cursors
/// a restart finds.
#[derive(Debug)]
pub(crate) struct ReleaseMark {
    /// By the cursors that are durable.
    durable: Lsn,
    /// By the oldest of those that are not.
    waiting: Option<Stored>,
    /// By all after those, taken together.
    later: Option<Stored>,
}

impl ReleaseMark {
    /// A mark that is durable already.
    pub(crate) fn new(low: Lsn) -> Self {
        Self { durable: low, waiting: None, later: None }
    }

    /// All cursors are in the log up to `end`, and `low` is their low mark.
    pub(crate) fn store(&mut self, end: Lsn, low: Lsn) {
        if self.waiting.is_none() {
            self.waiting = Some(Stored { end, newest: low, lowest: low });
        } else {
            let lowest = self.later.map_or(low, |later| later.lowest.min(low));
            self.later = Some(Stored { end, newest: low, lowest });
        }
    }

    /// The mark by the cursors that are in the log, durable or not.
    pub(crate) fn stored(&self) -> Lsn {
        let newest = self.later.or(self.waiting);
        newest.map_or(self.durable, |stored| stored.newest)
    }

    /// Everything below `durable` is.
    pub(crate) fn advance(&mut self, durable: Lsn) {
        while let Some(stored) = self.waiting.take_if(|stored| stored.end <= durable) {
            self.durable = stored.newest;
            self.waiting = self.later.take();
        }
    }

    /// The mark.
    pub(crate) fn get(&self) -> Lsn {
        let stored = [self.waiting, self.later].into_iter().flatten();
        stored.fold(self.durable, |mark, stored| mark.min(stored.lowest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_that_are_not_durable_release_nothing() {
        let mut mark = ReleaseMark::new(Lsn(0));
        mark.store(Lsn(100), Lsn(50));
        mark.store(Lsn(200), Lsn(150));
        mark.store(Lsn(300), Lsn(250));
        mark.advance(Lsn(99));
        assert_eq!(mark.get(), Lsn(0));
        mark.advance(Lsn(100));
        assert_eq!(mark.get(), Lsn(50));
        mark.advance(Lsn(299));
        assert_eq!(mark.get(), Lsn(50));
        mark.advance(Lsn(300));
        assert_eq!(mark.get(), Lsn(250), "no restart finds those in between");
        mark.store(Lsn(400), Lsn(350));
        mark.advance(Lsn(400));
        assert_eq!(mark.get(), Lsn(350));
    }

    #[test]
    fn a_new_consumer_holds_the_mark_from_when_it_is_stored() {
        let mut mark = ReleaseMark::new(Lsn::MAX);
        mark.store(Lsn(100), Lsn::MAX);
        mark.store(Lsn(200), Lsn(7));
        mark.store(Lsn(300), Lsn(90));
        mark.advance(Lsn(0));
        assert_eq!(mark.get(), Lsn(7));
        mark.advance(Lsn(299));
        assert_eq!(mark.get(), Lsn(7));
        mark.advance(Lsn(300));
        assert_eq!(mark.get(), Lsn(90));
    }
}
