//! The administrator's: looking after the lab itself.

use std::sync::Arc;

use protocol::Error;
use protocol::board::BoardName;
use protocol::console::ConsoleState;
use protocol::journal::Event;
use protocol::user::{Verb, Who};

use super::open::NUMBERS;
use super::{Lab, internal};
use crate::config::Setup;
use crate::ledger::Write;
use crate::memory::snapshot::Snapshot;
use crate::power::Power;

impl Lab {
    /// Writes something down on a board's timeline.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::NoSuch`], [`Error::CannotRecord`].
    pub async fn note_down(&self, who: &Who, board: &BoardName, text: String) -> Result<(), Error> {
        self.allow_on(who, Verb::Hold, &self.find(who, Verb::Hold, board)?)?;
        let event = Event::Noted { text };
        let commit = self.ledger().stage(self.entry_by(who, Some(board), event, Vec::new()));
        commit.await.map(drop).map_err(|error| Error::CannotRecord { why: error.to_string() })
    }

    /// What an administrator should mend. A sentence each, with what to do.
    ///
    /// # Errors
    /// [`Error::NotAllowed`].
    pub fn doctor(&self, who: &Who) -> Result<Vec<String>, Error> {
        self.allow(who, Verb::See)?;
        let mut found = Vec::new();
        found.extend(self.config().setup.as_ref().and_then(Setup::missing));
        for board in self.boards_seen(who) {
            let name = &board.config.name;
            if let Some(fault) = board.trouble.lock().as_ref() {
                found.push(format!("{name}: {fault}; see 'labctl journal {name}'"));
            }
            if let Some(line) = &board.line
                && let (ConsoleState::Away, Some(why)) = line.state()
            {
                found.push(format!("{name}: its console is away: {why}"));
            }
            if let Some(keeper) = &board.keeper
                && let Some(fault) = keeper.detail().fault
            {
                found.push(format!("{name}: its outlet: {fault}"));
            }
            if let Some(caution) = board.config.outlet.as_ref().and_then(Power::caution) {
                found.push(format!("{name}: its outlet: {caution}"));
            }
        }
        Ok(found)
    }

    /// Reads the whole ledger again and compares the store with it.
    ///
    /// # Errors
    /// [`Error::NotAllowed`].
    pub async fn verify(&self, who: &Who) -> Result<Vec<String>, Error> {
        self.allow(who, Verb::Administer)?;
        Ok(self.memory.verify().await)
    }

    /// Builds the store anew from the ledger; the old one is set aside.
    ///
    /// # Errors
    /// [`Error::NotAllowed`]; [`Error::Device`], as it failed.
    pub async fn rebuild(self: &Arc<Self>, who: &Who) -> Result<Vec<String>, Error> {
        self.allow(who, Verb::Administer)?;
        let lab = self.clone();
        let rebuilt = tokio::task::spawn_blocking(move || lab.memory.rebuild()).await;
        let aside = rebuilt.map_err(internal)?.map_err(|error| Error::Device {
            device: "the store".to_owned(),
            why: error.to_string(),
        })?;
        Ok(vec![format!("the store is built anew; the old one is in {}", aside.display())])
    }

    /// The lab's whole state as lines.
    ///
    /// # Errors
    /// [`Error::NotAllowed`]; [`Error::Device`], as it failed.
    pub async fn export(&self, who: &Who) -> Result<Snapshot, Error> {
        self.allow(who, Verb::Administer)?;
        self.memory.snapshot().await.map_err(|error| Error::Device {
            device: "the store".to_owned(),
            why: error.to_string(),
        })
    }

    /// Takes over an export, if nobody holds or waits for anything here.
    ///
    /// # Errors
    /// [`Error::NotAllowed`]; [`Error::Bad`] if the lab is in use, or the export is not whole.
    pub async fn import(
        self: &Arc<Self>,
        who: &Who,
        lines: &[String],
    ) -> Result<Vec<String>, Error> {
        self.allow(who, Verb::Administer)?;
        let snapshot = Snapshot::parse(lines).map_err(|why| Error::Bad { why })?;
        let commit = {
            let remembered = self.remembered()?;
            if remembered.book.holds().next().is_some()
                || remembered.book.all_waiting().next().is_some()
            {
                let why =
                    "boards are held or waited for here; an import is for a lab that is not in use";
                return Err(Error::Bad { why: why.to_owned() });
            }
            let text = format!("import of {} records", snapshot.records.len());
            let mut writes = snapshot.writes();
            // Holds of before the import are over, and their numbers are never used again.
            writes.push(Write::put(NUMBERS.to_owned(), &remembered.book.next_number()));
            let draft = self.entry_by(who, None, Event::Noted { text }, writes);
            self.ledger().stage_upon(remembered.generation, [draft])
        };
        commit.await.map_err(|error| Error::CannotRecord { why: error.to_string() })?;
        self.memory.caught_up().await;
        let mut remembered = self.book.lock();
        let read_back = self.read_back(remembered.generation);
        *remembered = read_back.map_err(|error| Error::CannotRecord { why: error.to_string() })?;
        drop(remembered);
        self.access_changed();
        self.boards_now().keys().for_each(|board| drop(self.begin_chore(board)));
        Ok(vec![format!("{} records taken over", snapshot.records.len())])
    }
}
