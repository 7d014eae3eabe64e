//! What a power cut leaves of that which was not synced.

/// What becomes of that which was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of it is lost.
    Everything,
    /// Chance decides, the same for the same seed and the same history.
    Random(u64),
}

/// What a power cut did, in numbers. A trial whose cuts had nothing to lose has
/// tried nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Unsynced pages of 4 KiB that the disk has as they were before.
    pub pages_lost: u64,
    /// Unsynced pages that the disk has whole.
    pub pages_kept: u64,
    /// Unsynced pages of which the disk has some sectors of 512 bytes.
    pub pages_torn: u64,
    /// Files whose size is the one of before.
    pub sizes_lost: u64,
    /// Files whose unsynced size the disk has.
    pub sizes_kept: u64,
    /// Unsynced creations, renames and removals that did not happen.
    pub names_lost: u64,
    /// Unsynced creations, renames and removals that the disk has.
    pub names_kept: u64,
}

/// Sectors of a page, one bit each.
pub(crate) const ALL_SECTORS: u8 = 0xff;

/// Decides, and counts.
pub(crate) struct Chance {
    random: Option<SplitMix>,
    /// Of eight pages or sizes, and of eight names, so many are kept. They are
    /// drawn once a cut, so that cuts that keep nearly all and nearly nothing
    /// occur, and a kept name above a lost page.
    data_kept_of_8: u64,
    names_kept_of_8: u64,
    pub(crate) cut: Cut,
}

impl Chance {
    pub(crate) fn new(loss: Loss) -> Self {
        let mut random = match loss {
            Loss::Everything => None,
            Loss::Random(seed) => Some(SplitMix(seed)),
        };
        let mut of_8 = || random.as_mut().map_or(0, |random| random.below(9));
        let (data_kept_of_8, names_kept_of_8) = (of_8(), of_8());
        Self { random, data_kept_of_8, names_kept_of_8, cut: Cut::default() }
    }

    fn keeps(&mut self, of_8: u64) -> bool {
        self.random.as_mut().is_some_and(|random| random.below(8) < of_8)
    }

    /// The sectors of a page that the disk has.
    pub(crate) fn page(&mut self) -> u8 {
        let torn =
            self.random.as_mut().and_then(|random| (random.below(4) == 0).then(|| random.next() as u8));
        let sectors = match torn {
            Some(sectors) => sectors,
            None if self.keeps(self.data_kept_of_8) => ALL_SECTORS,
            None => 0,
        };
        match sectors {
            0 => self.cut.pages_lost += 1,
            ALL_SECTORS => self.cut.pages_kept += 1,
            _ => self.cut.pages_torn += 1,
        }
        sectors
    }

    /// The disk has a file's new size.
    pub(crate) fn size(&mut self) -> bool {
        let kept = self.keeps(self.data_kept_of_8);
        *(if kept { &mut self.cut.sizes_kept } else { &mut self.cut.sizes_lost }) += 1;
        kept
    }

    /// The disk has a change of a name.
    pub(crate) fn name(&mut self) -> bool {
        let kept = self.keeps(self.names_kept_of_8);
        *(if kept { &mut self.cut.names_kept } else { &mut self.cut.names_lost }) += 1;
        kept
    }
}

/// The generator SplitMix64 of Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", 2014.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is small.
    fn below(&mut self, bound: u64) -> u64 {
        ((self.next() >> 32) * bound) >> 32
    }
}
