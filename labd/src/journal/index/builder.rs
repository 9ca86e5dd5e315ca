//! An index as it is made: block by block, then sorted into pages.

use super::format::{MAGIC, PAGE, checksum, close_page, push_blocks, push_number};
use crate::journal::lines::{Lines, text};
use crate::journal::pattern::{TRIGRAMS, folded, trigrams};
use crate::journal::recording::Segment;

/// In a pair of a trigram and a block, so many bits are the block's.
const BLOCK_BITS: u32 = 12;

/// An index as it is made.
pub(super) struct Builder<'a> {
    segments: &'a [Segment],
    blocks: u32,
    /// The trigrams of the block at hand.
    seen: Vec<bool>,
    /// Each a trigram, and in the last bits a block that has it.
    pairs: Vec<u32>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(segments: &'a [Segment]) -> Builder<'a> {
        Builder { segments, blocks: 0, seen: vec![false; TRIGRAMS as usize], pairs: Vec::new() }
    }

    /// Adds the next block.
    pub(super) fn add(&mut self, lines: &Lines) {
        let first = self.pairs.len();
        for (_, line) in lines.iter() {
            for trigram in trigrams(folded(text(line)).as_bytes()) {
                if !std::mem::replace(&mut self.seen[trigram as usize], true) {
                    self.pairs.push(trigram << BLOCK_BITS | self.blocks);
                }
            }
        }
        for pair in &self.pairs[first..] {
            self.seen[(pair >> BLOCK_BITS) as usize] = false;
        }
        self.blocks += 1;
    }

    /// Passes over the next block: it has nothing.
    pub(super) fn skip(&mut self) {
        self.blocks += 1;
    }

    /// The file.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.pairs.sort_unstable();
        let (mut head, mut pages, mut body) = (Vec::new(), Vec::new(), Vec::new());
        let (mut first, mut before, mut page) = (0, 0, Vec::new());
        for pairs in self.pairs.chunk_by(|one, other| one >> BLOCK_BITS == other >> BLOCK_BITS) {
            let trigram = pairs[0] >> BLOCK_BITS;
            if page.is_empty() {
                (first, before) = (trigram, trigram);
            }
            push_number(&mut page, trigram - before);
            before = trigram;
            let blocks: Vec<u32> =
                pairs.iter().map(|pair| pair & ((1 << BLOCK_BITS) - 1)).collect();
            push_blocks(&mut page, &blocks, self.blocks);
            if page.len() >= PAGE {
                close_page(&mut pages, &mut body, first, &mut page);
            }
        }
        close_page(&mut pages, &mut body, first, &mut page);
        head.extend_from_slice(&(self.segments.len() as u32).to_le_bytes());
        for segment in self.segments {
            head.extend_from_slice(&segment.start.to_le_bytes());
            head.extend_from_slice(&segment.length.to_le_bytes());
        }
        head.extend_from_slice(&pages);
        let length = (head.len() as u32).to_le_bytes();
        [MAGIC.as_slice(), &length, &checksum(&head).to_le_bytes(), &head, &body].concat()
    }
}
