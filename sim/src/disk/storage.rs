//! The disk as the log sees it: begun at once, ended in some later turn.

use super::*;

impl Storage for Disk {
    fn list(&mut self) -> io::Result<Listing> {
        let mut state = self.state();
        let called = state.call();
        state.trace.line(format_args!("  list: {called:?}"));
        called?;
        state.renamed.clear();
        Ok(Listing { segments: state.files.keys().copied().collect(), unknown: state.unknown.clone() })
    }

    fn settle(&mut self, base: Lsn) -> io::Result<()> {
        let mut state = self.state();
        let mut settled = state.call();
        if state.is_dead {
            return settled;
        }
        let State { files, random, coverage, .. } = &mut *state;
        let file = files.get_mut(&base).ok_or(io::ErrorKind::NotFound)?;
        if settled.is_err() {
            file.fail_sync(random, coverage);
        } else {
            settled = file.sync();
        }
        file.evict();
        state.mapped.remove(&base);
        state.has_failed |= settled.is_err();
        state.has_lost |= settled.is_err();
        state.trace.line(format_args!("  settle {base}: {settled:?}"));
        settled
    }

    fn view(&self, base: Lsn) -> io::Result<Bytes> {
        let mut state = self.state();
        if state.is_dead {
            return Err(io::Error::other("the process has died"));
        }
        if !state.mapped.contains(&base) {
            state.map(base)?;
        }
        state.file(base).map(File::view)
    }

    fn zero(&mut self, base: Lsn, from: u64, to: u64) -> io::Result<()> {
        let mut state = self.state();
        let mut called = state.call();
        let mut zeroed = to - from;
        if called.is_err() {
            zeroed = state.random.below(zeroed + 1);
        }
        if let Some(budget) = &mut state.zero_budget {
            zeroed = zeroed.min(*budget);
            *budget -= zeroed;
            if zeroed < to - from {
                called = Err(io::ErrorKind::Interrupted.into());
            }
        }
        state.trace.line(format_args!("  zero {base} {from}..{to}: {called:?}, {zeroed} bytes"));
        state.mapped.remove(&base);
        let file = state.file(base)?;
        file.write(from as usize, &vec![0; zeroed as usize]);
        called?;
        file.sync()
    }

    fn hold(&mut self, base: Lsn) -> io::Result<()> {
        let mut state = self.state();
        let held = state.call();
        state.trace.line(format_args!("  hold {base}: {held:?}"));
        held?;
        if state.mapped.contains(&base) { Ok(()) } else { state.map(base) }
    }

    fn prepare(&mut self, header: Header) {
        let mut state = self.state();
        let due = state.due();
        state.trace.line(format_args!("  prepare {} of {}", header.base, header.segment_bytes));
        state.chores.push_back((Job::Prepare(header), due));
    }

    fn remove(&mut self, base: Lsn) {
        let mut state = self.state();
        let due = state.due();
        state.trace.line(format_args!("  remove {base}"));
        state.coverage.hit(Branch::Release);
        let removes = state.chores.iter().any(|(job, _)| matches!(job, Job::Remove(_)));
        assert!(!removes, "segments are removed one after another");
        state.mapped.remove(&base);
        state.chores.push_back((Job::Remove(base), due));
    }

    fn write(&mut self, base: Lsn, offset: u64, buffer: Vec<u8>, from: usize) {
        let mut state = self.state();
        let (due, offset) = (state.due(), offset as usize);
        assert!(state.flight.is_none(), "one write or sync is in flight at a time");
        state.file(base).expect("only segments are written to").intend(offset, &buffer[from..]);
        state.intended_to = base + (offset + buffer.len() - from) as u64;
        state.trace.line(format_args!("  write {base}+{offset}, {} bytes", buffer.len() - from));
        state.flight = Some(Flight::Write { base, offset, buffer, from, due });
    }

    fn sync(&mut self, base: Lsn) {
        let mut state = self.state();
        let due = state.due();
        assert!(state.flight.is_none(), "one write or sync is in flight at a time");
        assert!(state.files.contains_key(&base), "only segments are synced");
        state.trace.line(format_args!("  sync {base}"));
        state.flight = Some(Flight::Sync { base, due });
    }

    fn completion(&mut self) -> Option<Completion> {
        let mut state = self.state();
        let (turn, hold_syncs) = (state.turn, state.hold_syncs);
        let flight = state.flight.take_if(|flight| match flight {
            Flight::Write { due, .. } => *due <= turn,
            Flight::Sync { due, .. } => *due <= turn && !hold_syncs,
        })?;
        let completion = state.refuse().unwrap_or_else(|| match flight {
            Flight::Write { base, offset, buffer, from, .. } => {
                state.finish_write(base, offset, buffer, from)
            }
            Flight::Sync { base, .. } => state.finish_sync(base),
        });
        match &completion {
            Completion::Written { result, .. } => state.trace.line(format_args!("  written: {result:?}")),
            Completion::Synced(result) => state.trace.line(format_args!("  synced: {result:?}")),
            Completion::Refused(error) => state.trace.line(format_args!("  refused: {error}")),
        }
        Some(completion)
    }

    fn chore(&mut self) -> Option<Chore> {
        let mut state = self.state();
        let turn = state.turn;
        let (job, _) = if state.is_dead { None } else { state.chores.pop_front_if(|(_, due)| *due <= turn) }?;
        if state.flight.is_some() {
            state.coverage.hit(Branch::FlushAfterChore);
        }
        let chore = match job {
            Job::Prepare(header) => Chore::Prepared(header, state.finish_prepare(header)),
            Job::Remove(base) => Chore::Removed(base, state.finish_remove(base)),
        };
        state.trace.line(format_args!("  chore: {chore:?}"));
        Some(chore)
    }

    fn wait(&mut self) -> io::Result<()> {
        let mut state = self.state();
        state.pass_turn();
        state.call()
    }

    fn clear_event(&mut self) {
        self.state().pass_turn();
    }

    fn event_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }

    fn wake_at(&mut self, _: Duration) {
        self.state().wakes += 1;
    }

    fn now(&self) -> Duration {
        self.state().now
    }

    fn entropy(&mut self) -> u32 {
        self.state().entropy
    }
}
