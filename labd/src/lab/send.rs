//! What is sent on a console in one piece: a BREAK, a named sequence, a file.

use std::sync::Arc;

use protocol::Error;
use protocol::board::BoardName;
use protocol::console::Signal;
use protocol::journal::Event;
use protocol::send::{File, Sending};
use protocol::user::{Verb, Who};
use tokio::io::AsyncRead;
use tokio::sync::watch;

use super::people::on;
use super::{Lab, request};
use crate::config::reader::nearest;
use crate::config::sequence::Sequence;
use crate::console::line::{Deed, Line};
use crate::console::transfer;
use crate::rules::access;

/// A file that is to go through a console, where nobody types until this is over.
pub struct Upload {
    deed: Deed,
    file: File,
}

impl Lab {
    /// Sends a BREAK, or what the configuration has under a name, on the console of a board that the caller may
    /// type at, if nobody else has the pen. Answers when it is over; it goes on if the caller leaves.
    ///
    /// # Errors
    /// As [`access::may_on`]; [`Error::Lacks`], [`Error::NoSuch`] if there is no such name;
    /// [`Error::NoPen`], [`Error::Busy`]; [`Error::HoldOver`]; [`Error::Device`].
    pub async fn signal(&self, who: &Who, board: &BoardName, signal: &Signal) -> Result<(), Error> {
        let line = self.line(who, board)?;
        let (what, named) = match signal {
            Signal::Break { name: None } => ("a BREAK", None),
            Signal::Break { name: Some(name) } => {
                (name.as_str(), Some(sequence("break", name, line.manner().breaks)))
            }
            Signal::Line { name } => {
                (name.as_str(), Some(sequence("line sequence", name, line.manner().lines)))
            }
        };
        let deed = self.deed(who, board, &line, &format!("sends {what}"))?;
        let Some(named) = named else { return deed.send_break().await };
        let (name, sequence) = (what.to_owned(), named?);
        let playing = tokio::spawn(async move { deed.play(&name, &sequence).await });
        playing.await.unwrap_or_else(|_| Err(Error::Bad { why: "labd stops".to_owned() }))
    }

    /// Begins to send a file through the console of a board that the caller may type at, if nobody else has
    /// the pen.
    ///
    /// # Errors
    /// As [`access::may_on`]; [`Error::Lacks`], [`Error::NoPen`], [`Error::Busy`].
    pub fn begin_to_send(&self, who: &Who, board: &BoardName, file: File) -> Result<Upload, Error> {
        let line = self.line(who, board)?;
        let deed = self.deed(who, board, &line, &format!("sends {}", file.name))?;
        let (name, bytes, way) = (file.name.clone(), file.size, file.way);
        deed.note(Event::SendBegan { file: name, bytes, way });
        Ok(Upload { deed, file })
    }

    fn deed(
        &self,
        who: &Who,
        board: &BoardName,
        line: &Arc<Line>,
        what: &str,
    ) -> Result<Deed, Error> {
        let here = self.find(who, Verb::Type, board)?;
        // Under the book's lock, so that no hold ends between the look and the deed.
        let remembered = self.book.lock();
        let hold = access::may_on(who, Verb::Type, on(&here, &remembered.book))
            .inspect_err(|why| self.deny(who, Verb::Type, Some(board), why))?;
        line.begin(request::by(Some(who)), &who.name, hold, what)
    }
}

impl Upload {
    /// Sends `source`. `taken` says how many bytes the board has; when `cancelled` comes true, the board is
    /// told that nothing more comes.
    pub async fn run(
        self,
        source: impl AsyncRead + Unpin,
        taken: &watch::Sender<u64>,
        cancelled: impl Future<Output = ()>,
    ) -> Sending {
        let Upload { deed, file } = self;
        let prompt = deed.present_line();
        let sent = deed
            .carry(async |wire| transfer::send(&file, source, wire, prompt, taken, cancelled).await)
            .await;
        let failed = match sent {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(why),
            Err(error) => Some(error.to_string()),
        };
        let name = file.name;
        match failed {
            None => {
                deed.note(Event::Sent { file: name });
                Sending::Done
            }
            Some(why) => {
                let at = *taken.borrow();
                deed.note(Event::SendFailed { file: name, at, why: why.clone() });
                Sending::Failed { at, why }
            }
        }
    }
}

/// The sequence of that name.
fn sequence(
    what: &str,
    name: &str,
    mut known: std::collections::BTreeMap<String, Sequence>,
) -> Result<Sequence, Error> {
    let found = known.remove(name);
    found.ok_or_else(|| Error::NoSuch {
        what: what.to_owned(),
        name: name.to_owned(),
        near: nearest(name, known.keys().map(String::as_str)).map(str::to_owned),
    })
}
