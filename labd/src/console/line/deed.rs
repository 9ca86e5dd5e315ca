//! What is done on a console in many steps, while nobody types: a sequence, a file.

use std::sync::Arc;

use protocol::journal::{By, Event};
use protocol::user::UserName;
use protocol::{Error, Span};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::Line;
use super::input::{Lines, Right, Urgent};
use super::shared::Shared;
use crate::config::sequence::{Sequence, Step};

/// As much is on its way between a deed and the device.
const PIECE: usize = 4 * 1024;
/// How long a BREAK is that nobody gave a length.
const BREAK: Span = Span::millis(250);

/// A console as whoever does something there has it. Nobody types until it is dropped.
pub struct Deed {
    shared: Arc<Shared>,
    number: u64,
    right: Right,
}

impl Drop for Deed {
    fn drop(&mut self) {
        self.shared.desk.lock().end(self.number);
        self.shared.seating.send_replace(());
    }
}

impl Line {
    /// Begins what `who` does here, under `hold`. The pen is theirs, or nobody's.
    ///
    /// # Errors
    /// [`Error::NoPen`] if it is somebody else's; [`Error::Busy`] if something is being done.
    pub fn begin(
        &self,
        by: By,
        who: &UserName,
        hold: Option<u64>,
        what: &str,
    ) -> Result<Deed, Error> {
        let mut desk = self.shared.desk.lock();
        let number = desk.begin(who, what).map_err(|why| self.refusal(why, &desk))?;
        let right = Right { by, hold, turn: desk.turn() };
        drop(desk);
        self.shared.seating.send_replace(());
        Ok(Deed { shared: self.shared.clone(), number, right })
    }
}

impl Deed {
    /// Sends a plain BREAK.
    ///
    /// # Errors
    /// As [`Line::send_break`].
    pub async fn send_break(&self) -> Result<(), Error> {
        self.shared.send_break(self.right.clone(), BREAK).await
    }

    /// Does what a sequence says, and writes it down under its name. If that ends early, DTR and RTS are still
    /// set as they would have been in the end: else the board might stay in reset.
    ///
    /// # Errors
    /// As [`Line::send_break`] and [`Line::type_in`]; [`Error::Device`] if it has no such lines.
    pub async fn play(&self, name: &str, sequence: &Sequence) -> Result<(), Error> {
        for (done, step) in sequence.steps.iter().enumerate() {
            if let Err(why) = self.take(step).await {
                for step in &sequence.steps[done..] {
                    if let Step::Dtr(_) | Step::Rts(_) = step {
                        // What the device refuses once, it refuses again.
                        let _ = self.set_lines(Right::of_lab(By::default()), step).await;
                    }
                }
                let text = format!("{name} was not sent: {why}");
                self.shared.note(self.right.by.clone(), Event::Noted { text });
                return Err(why);
            }
        }
        self.note(Event::Signalled { name: name.to_owned() });
        Ok(())
    }

    /// Writes down what has become of it.
    pub fn note(&self, event: Event) {
        self.shared.note(self.right.by.clone(), event);
    }

    async fn take(&self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Text(bytes) => self.type_in(bytes.clone()).await,
            Step::Break => self.send_break().await,
            Step::Dtr(_) | Step::Rts(_) => self.set_lines(self.right.clone(), step).await,
            Step::Wait(span) => tokio::select! {
                () = sleep(span.duration()) => Ok(()),
                why = self.until_over() => Err(why),
            },
        }
    }

    async fn set_lines(&self, right: Right, step: &Step) -> Result<(), Error> {
        let (dtr, rts) = match step {
            Step::Dtr(on) => (Some(*on), None),
            Step::Rts(on) => (None, Some(*on)),
            _ => return Ok(()),
        };
        let (answer, answered) = oneshot::channel();
        // As in `put`.
        let lines = Urgent::Lines(Lines { right, dtr, rts, answer });
        let _ = self.shared.urgent.send(lines).await;
        self.shared.hear(answered).await
    }

    async fn type_in(&self, bytes: Vec<u8>) -> Result<(), Error> {
        self.shared.hear(self.shared.put(self.right.clone(), bytes, true).await).await
    }

    /// Has `work` type and see what the board prints from now on, by the stream that it is given.
    ///
    /// # Errors
    /// As [`Line::type_in`]: it is over if the hold or the pen is, or if the device goes.
    pub async fn carry<T>(&self, work: impl AsyncFnOnce(DuplexStream) -> T) -> Result<T, Error> {
        let (ours, theirs) = duplex(PIECE);
        let (typed, printed) = split(theirs);
        let hearing = self.print_all(printed);
        let working = async {
            let work = async { Ok(work(ours).await) };
            tokio::try_join!(work, self.type_all(typed)).map(|(done, ())| done)
        };
        tokio::select! {
            done = working => done,
            why = self.until_over() => Err(why),
            why = hearing => Err(why),
        }
    }

    /// What stands on the present line.
    pub fn present_line(&self) -> Vec<u8> {
        self.shared.status.lock().present_line.clone()
    }

    async fn type_all(&self, mut typed: ReadHalf<DuplexStream>) -> Result<(), Error> {
        let mut piece = vec![0; PIECE];
        // A stream of ours does not fail.
        while let Ok(read @ 1..) = typed.read(&mut piece).await {
            self.type_in(piece[..read].to_vec()).await?;
        }
        Ok(())
    }

    async fn print_all(&self, mut printed: WriteHalf<DuplexStream>) -> Error {
        let recording = &self.shared.recording;
        let (mut growth, mut offset) = (recording.growth(), recording.end());
        let mut piece = vec![0; PIECE];
        loop {
            let end = *growth.borrow_and_update();
            while offset < end {
                match recording.read(offset, &mut piece) {
                    Ok((start, read @ 1..)) => {
                        // Nobody may listen any more, while the rest is typed.
                        let _ = printed.write_all(&piece[..read]).await;
                        offset = start + read as u64;
                    }
                    _ => return self.shared.fault("cannot be read again"),
                }
            }
            if growth.changed().await.is_err() {
                return self.shared.fault("is closed");
            }
        }
    }

    /// Returns when this may not go on.
    async fn until_over(&self) -> Error {
        let mut fence = self.shared.fence.subscribe();
        loop {
            fence.mark_unchanged();
            if let Some(why) = self.shared.over(&self.right) {
                return why;
            }
            if fence.changed().await.is_err() {
                return self.shared.fault("is closed");
            }
        }
    }
}
