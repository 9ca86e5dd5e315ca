//! How long boots of a class take.

use std::collections::{BTreeMap, VecDeque};

use protocol::Span;
use protocol::boot::{Boot, Cause, Outcome, Usual};

/// Of so many boots is remembered how long they stayed in a stage.
const REMEMBERED: usize = 200;
/// Of fewer nothing is said.
const ENOUGH: usize = 20;

/// How long the boots of a class that were done stayed in each stage.
#[derive(Debug, Default)]
pub struct History {
    stays: BTreeMap<Option<String>, VecDeque<Span>>,
}

impl History {
    /// Learns from a boot. One that was not done says nothing of how long it takes.
    pub fn learn(&mut self, boot: &Boot) {
        if boot.outcome != Outcome::Done {
            return;
        }
        for (before, _, took) in boot.steps() {
            // A board that begins again by itself is known by its first words.
            if before.is_none() && boot.cause == Cause::Itself {
                continue;
            }
            let stays = self.stays.entry(before.map(str::to_owned)).or_default();
            if stays.len() == REMEMBERED {
                stays.pop_front();
            }
            stays.push_back(took);
        }
    }

    /// How long boots stay in a stage; none if too few are known.
    pub fn usual(&self, stage: Option<&str>) -> Option<Usual> {
        let stage = stage.map(str::to_owned);
        let stays = self.stays.get(&stage).filter(|stays| stays.len() >= ENOUGH)?;
        let mut sorted: Vec<Span> = stays.iter().copied().collect();
        sorted.sort_unstable();
        let at = |hundredths: usize| sorted[(sorted.len() * hundredths).div_ceil(100) - 1];
        let boots = sorted.len() as u64;
        Some(Usual { stage, boots, p50: at(50), p95: at(95), p99: at(99) })
    }

    /// The same of every stage.
    pub fn all_usual(&self) -> Vec<Usual> {
        self.stays.keys().filter_map(|stage| self.usual(stage.as_deref())).collect()
    }
}
