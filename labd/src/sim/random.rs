//! Chance that repeats itself: the same seed gives the same board.

use std::ops::Range;

/// The splitmix64 generator. Fair enough for jitter, and good for nothing secret.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    /// A sequence. Those of one `seed` and different `stream`s have nothing to do with each other.
    pub(super) fn new(seed: u64, stream: u64) -> Random {
        let mut mixed = Random(seed);
        Random(mixed.next() ^ stream.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `range`, which must not be empty.
    pub(super) fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// True once in `n` times.
    pub(super) fn once_in(&mut self, n: u64) -> bool {
        self.within(0..n) == 0
    }
}
