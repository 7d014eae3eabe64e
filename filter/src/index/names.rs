//! Attribute names as numbers.

use std::collections::HashMap;

/// The names that the conditions of one matcher refer to. A number stays valid
/// as long as someone holds it; afterwards it goes to another name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    list: Vec<Box<str>>,
    holders: Vec<u32>,
    numbers: HashMap<Box<str>, u32>,
    free: Vec<u32>,
}

impl Names {
    /// All names by number, for the view of an event.
    pub(crate) fn list(&self) -> &[Box<str>] {
        &self.list
    }

    /// The number of a name in use.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The number of a name, held once more.
    pub(crate) fn hold(&mut self, name: &str) -> u32 {
        let number = match self.numbers.get(name) {
            Some(number) => *number,
            None => self.add(name),
        };
        self.holders[number as usize] += 1;
        number
    }

    fn add(&mut self, name: &str) -> u32 {
        let number = self.free.pop().unwrap_or(self.list.len() as u32);
        if number as usize == self.list.len() {
            self.list.push(name.into());
            self.holders.push(0);
        } else {
            self.list[number as usize] = name.into();
        }
        self.numbers.insert(name.into(), number);
        number
    }

    /// Gives up one hold on a number.
    pub(crate) fn release(&mut self, number: u32) {
        let at = number as usize;
        self.holders[at] -= 1;
        if self.holders[at] == 0 {
            self.numbers.remove(&self.list[at]);
            self.free.push(number);
        }
    }
}
