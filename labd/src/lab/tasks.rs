//! What the lab does by itself: time passes, recordings reach the disk, what is old is let go.

use std::io;
use std::sync::Arc;

use protocol::journal::Event;
use protocol::{Error, Span, Time};
use tokio::sync::watch;
use tokio::time::{Duration, sleep};

use super::Lab;
use super::decide::{board_key, place_key};
use crate::config::History;
use crate::journal::recording::Recording;
use crate::ledger::Write;

/// Decisions within this time of each other wake the lab's own clock once.
const BREATH: Duration = Duration::from_millis(10);
/// The clock is looked at this often, to see whether somebody has set it.
const GLANCE: Span = Span::seconds(1);
/// Recordings go to the disk this often.
const SETTLE: Duration = Duration::from_secs(1);
/// Whether more is kept than need be is looked at this often.
const FORGET: Duration = Duration::from_secs(3_600);
/// More recordings than this are synced as one file system.
const FEW: usize = 16;

impl Lab {
    /// What time does: holds end, places are given up, the clock is followed when it is set.
    fn tick(self: &Arc<Self>) -> Result<(), Error> {
        if let Some(ms) = self.clock.step() {
            self.shift(ms)?;
        }
        self.decide(None, |book, now| Ok(book.tick(now))).map(drop)
    }

    /// The machine's clock was set by `ms`. Every deadline moves with the lab's clock, in one breath.
    ///
    /// # Errors
    /// [`Error::CannotRecord`].
    pub(super) fn shift(&self, ms: i64) -> Result<(), Error> {
        let mut remembered = self.remembered()?;
        self.clock.shift(ms);
        remembered.book.shift(ms);
        let book = &remembered.book;
        let held: Vec<_> = book.holds().map(|hold| hold.board.clone()).collect();
        let mut writes: Vec<Write> = held
            .iter()
            .filter_map(|board| Some(Write::put(board_key(board), &book.record(board)?)))
            .collect();
        writes.extend(
            book.all_waiting().map(|waiting| Write::put(place_key(waiting.number), waiting)),
        );
        let event = Event::ClockStepped { by_ms: ms };
        let draft = self.entry(None, None, event, writes);
        remembered.shift = Some((ms, self.ledger().stage_upon(remembered.generation, [draft])));
        tracing::warn!(ms, "the machine's clock was set; holds last as long as they would have");
        Ok(())
    }

    pub(super) fn recordings(&self) -> Vec<Arc<Recording>> {
        self.boards_now().values().filter_map(|board| board.recording.clone()).collect()
    }

    /// Deletes what is older, or more, than the configuration says is kept.
    fn forget(&self) {
        if let Some(age) = self.config().history.events {
            self.forget_before(self.clock.now() - age);
        }
        if let Err(error) = self.prune_past() {
            tracing::error!(%error, "a recording of a board that has left is kept for too long");
        }
    }

    fn forget_before(&self, age: Time) {
        match self.memory.retire(age) {
            Ok(None) => {}
            Ok(Some(last)) => {
                let event = Event::Forgotten { last };
                drop(self.ledger().stage(self.entry(None, None, event, Vec::new())));
            }
            Err(error) => tracing::error!(%error, "the ledger keeps what it need not keep"),
        }
    }

    /// Brings recordings to the disk, and deletes what is over their limits.
    pub(super) fn write(&self, recordings: &[Arc<Recording>]) -> io::Result<()> {
        let now = self.clock.now();
        let (mut files, mut outcome) = (Vec::new(), Ok(()));
        for recording in recordings {
            match recording.settle(now) {
                Ok(file) => files.extend(file),
                // The others' bytes are to reach the disk all the same.
                Err(error) => outcome = Err(error),
            }
        }
        if files.len() > FEW {
            nix::unistd::syncfs(&files[0])?;
        } else {
            files.iter().try_for_each(|file| file.sync_data())?;
        }
        let History { size, age, .. } = self.config().history.clone();
        recordings.iter().try_for_each(|recording| recording.prune(size, age, now))?;
        outcome
    }
}

/// The task that does what time does.
pub(super) async fn keep_time(lab: Arc<Lab>) {
    let mut decisions = lab.decisions.subscribe();
    let mut ending = lab.ending.subscribe();
    loop {
        decisions.mark_unchanged();
        if let Err(error) = lab.tick() {
            tracing::error!(%error, "what time does could not be done");
        }
        lab.look_at_boots();
        lab.pulse.send_modify(|beats| *beats += 1);
        let next = lab.book.lock().book.next_tick();
        let due = async {
            match next {
                Some(next) => lab.clock.until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            _ = decisions.changed() => sleep(BREATH).await,
            () = sleep(GLANCE.duration()) => {}
            () = ended(&mut ending) => return,
        }
    }
}

/// The task that brings recordings to the disk.
pub(super) async fn settle_recordings(lab: Arc<Lab>) {
    let mut ending = lab.ending.subscribe();
    loop {
        tokio::select! {
            () = sleep(SETTLE) => {}
            // The end of the lab writes what is left.
            () = ended(&mut ending) => return,
        }
        let writer = lab.clone();
        let written = tokio::task::spawn_blocking(move || writer.write(&writer.recordings())).await;
        if let Ok(Err(error)) = written {
            tracing::error!(%error, "a recording did not reach the disk");
        }
    }
}

/// The task that remembers what screens look like. A lab that does nothing else shows them all the same.
pub(super) async fn keep_frames(lab: Arc<Lab>) {
    let mut ending = lab.ending.subscribe();
    loop {
        tokio::select! {
            () = sleep(SETTLE) => {}
            () = ended(&mut ending) => return,
        }
        let recordings = lab.recordings();
        let kept = tokio::task::spawn_blocking(move || {
            recordings.iter().try_for_each(|recording| recording.keep_frames())
        });
        if let Ok(Err(error)) = kept.await {
            tracing::warn!(%error, "screens are not kept, and take longer to be shown");
        }
    }
}

/// The task that lets go of what need not be kept any longer.
pub(super) async fn forget(lab: Arc<Lab>) {
    let mut ending = lab.ending.subscribe();
    let mut reloads = lab.reloads.subscribe();
    loop {
        let forgetter = lab.clone();
        // If it panics, that has been printed, and it is tried again.
        let _ = tokio::task::spawn_blocking(move || forgetter.forget()).await;
        tokio::select! {
            () = sleep(FORGET) => {}
            _ = reloads.changed() => {}
            () = ended(&mut ending) => return,
        }
    }
}

/// Returns when the lab ends.
pub(super) async fn ended(ending: &mut watch::Receiver<bool>) {
    // The sender is the lab's: if it is gone, so is the lab.
    let _ = ending.wait_for(|ending| *ending).await;
}

#[cfg(test)]
mod tests;
