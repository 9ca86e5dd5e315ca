//! Taking over a changed configuration as one step.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::join_all;
use protocol::Error;
use protocol::board::BoardName;
use protocol::hold::Hold;
use protocol::journal::Event;
use protocol::user::{Verb, Who};

use super::people::absent::Sight;
use super::raise::terms;
use super::tasks::ended;
use super::{Board, Lab, Remembered, internal};
use crate::config::{Change, Config};
use crate::keeper::Known;
use crate::ledger::Draft;

type Boards = BTreeMap<BoardName, Arc<Board>>;

impl Lab {
    /// Reads the configuration again. If it has no fault it is taken over as one step; what is
    /// configured as it was goes on undisturbed. A console or an outlet that goes to another is let go
    /// of first, an outlet when the job in hand is done. Says what changed, a sentence each.
    ///
    /// # Errors
    /// [`Error::NotAllowed`]; [`Error::Config`] with every fault; [`Error::HeldBy`] if a board that
    /// is to go is held, [`Error::Bad`] if one would not be there for its holder any more. Then nothing
    /// has changed.
    pub async fn reload(self: &Arc<Self>, who: &Who) -> Result<Vec<String>, Error> {
        self.allow(who, Verb::Administer)?;
        let Some(file) = self.config_file.clone() else {
            return Err(Error::Bad {
                why: "a demo has no configuration file to read again".to_owned(),
            });
        };
        let config = tokio::task::spawn_blocking(move || Config::load(&file))
            .await
            .map_err(internal)?
            .map_err(|faults| Error::Config {
                faults: faults.iter().map(ToString::to_string).collect(),
            })?;
        config.log_warnings();
        // What is begun is finished, though the caller may leave.
        let (lab, who) = (self.clone(), who.clone());
        tokio::spawn(async move { lab.take_over(&who, config).await }).await.map_err(internal)?
    }

    async fn take_over(self: &Arc<Self>, who: &Who, config: Config) -> Result<Vec<String>, Error> {
        let _alone = self.reloading.lock().await;
        let before = self.boards_now();
        let mut boards = BTreeMap::new();
        for board in &config.boards {
            let old = before.get(&board.name).map(|board| &**board);
            let new = self.raise(&config, board, old, Known::default()).map_err(|error| {
                Error::Device { device: board.name.to_string(), why: error.to_string() }
            })?;
            boards.insert(board.name.clone(), Arc::new(new));
        }
        let boards = Arc::new(boards);
        let changes = self.config().changes(&config);
        let absent = self.absent().await;
        let (commit, withdrawn, consoles, outlets) = {
            let mut remembered = self.remembered()?;
            let Remembered { book, people, .. } = &mut *remembered;
            let now = self.clock.now();
            let sight = Sight::of(&absent, people, &config, now);
            let seen = Sight::of(&absent, people, &self.config(), now);
            if let Some(hold) = seen.lost(&sight, book) {
                return Err(keeps(hold));
            }
            let gone: Vec<_> = before.keys().filter(|name| !boards.contains_key(*name)).collect();
            // Also one that is being cleaned: before any of them is forgotten.
            if let Some(hold) = gone.iter().find_map(|name| book.stage(name).ok()?.hold()) {
                let (board, who, until) = (hold.board.clone(), hold.who.clone(), hold.until);
                return Err(Error::HeldBy { board, who, until });
            }
            for board in gone {
                book.remove_board(board)?;
            }
            book.set_warning(config.warning);
            for board in &config.boards {
                book.put_board(board.name.clone(), terms(&config, board));
            }
            let withdrawn = book.withdraw(|who, board| sight.sees(who, board), now);
            *self.boards.write() = boards.clone();
            *self.config.write() = Arc::new(config);
            let is_hidden = |change: &Change| {
                let board = |boards: &Boards| boards.get(change.board.as_ref()?).cloned();
                let mut known = [board(&before), board(&boards)].into_iter().flatten();
                known.any(|board| !board.config.groups.is_empty())
            };
            let mut drafts = self.told_of(who, &changes, is_hidden);
            drafts[0].writes.extend(remembered.remember_whose(&self.config()));
            drafts.extend(self.drafts(&remembered.book, None, &withdrawn));
            self.bar_ended(&withdrawn);
            let commit = self.ledger().stage_all(drafts);
            let (consoles, outlets) = let_go(&before, &boards);
            (commit, withdrawn, consoles, outlets)
        };
        // Now that they can be seen; who follows a board that is gone is woken too.
        before.values().chain(boards.values()).for_each(|board| board.mark.touch());
        // A board that is new, or has new tags, may be what somebody waits for.
        self.decisions.send_modify(|count| *count += 1);
        let recorded = commit.await;
        if recorded.is_ok() {
            withdrawn.iter().for_each(|done| drop(self.follow_up(done)));
        }
        self.reloads.send_modify(|count| *count += 1);
        self.access_changed();
        let (config, mut ending) = (self.config(), self.ending());
        let left: Vec<_> = before
            .iter()
            .filter(|(name, _)| !boards.contains_key(*name))
            .filter_map(|(_, board)| board.recording.clone())
            .collect();
        let taking = async {
            consoles.await;
            // Nobody else writes down any more what has just been let go of.
            let lab = self.clone();
            let written = tokio::task::spawn_blocking(move || lab.write(&left)).await;
            if let Ok(Err(error)) = written {
                tracing::error!(%error, "a recording did not reach the disk");
            }
            boards.values().for_each(|board| board.take_line(&self.watched));
            outlets.await;
            boards.values().for_each(|board| board.take_outlet(&config.power));
        };
        tokio::select! {
            () = taking => {}
            () = ended(&mut ending) => {}
        }
        recorded.map_err(|error| Error::CannotRecord { why: error.to_string() })?;
        Ok(changes.into_iter().map(|change| change.sentence).collect())
    }

    /// What has changed, for the timeline; of a board that is not everybody's, on its own.
    fn told_of(
        &self,
        who: &Who,
        changes: &[Change],
        is_hidden: impl Fn(&Change) -> bool,
    ) -> Vec<Draft> {
        let (hidden, open): (Vec<_>, Vec<_>) = changes.iter().partition(|it| is_hidden(it));
        let entry = |board: Option<&BoardName>, changes: &[&Change]| {
            let changes = changes.iter().map(|change| change.sentence.clone()).collect();
            self.entry_by(who, board, Event::Reloaded { changes }, Vec::new())
        };
        let mut drafts = vec![entry(None, &open)];
        drafts.extend(hidden.iter().map(|change| entry(change.board.as_ref(), &[change])));
        drafts
    }
}

/// A slip in a file takes no board from anybody.
fn keeps(Hold { board, who, .. }: &Hold) -> Error {
    let why = format!(
        "{board} is held by {who}, for whom it would not be there any more; put them in its group with 'labctl group add GROUP {who}', or end the hold first with 'labctl release {board} --break REASON'"
    );
    Error::Bad { why }
}

/// Everybody lets go of what is not configured for them any more, now; what is returned waits until
/// the consoles are closed, and until the jobs in hand are done.
fn let_go<'a>(
    before: &'a Boards,
    after: &Boards,
) -> (impl Future<Output = ()> + use<'a>, impl Future<Output = ()> + use<'a>) {
    let (mut consoles, mut outlets) = (Vec::new(), Vec::new());
    for (name, Board { line, keeper, .. }) in before.iter().map(|(name, board)| (name, &**board)) {
        let config = after.get(name).map(|board| &board.config);
        let (console, outlet) = config.map(|it| (it.console.as_ref(), it.outlet.as_ref())).unzip();
        let (console, outlet) = (console.flatten(), outlet.flatten());
        if let Some(line) = line.as_ref().filter(|line| console != Some(&line.device())) {
            consoles.push(line.let_go());
        }
        if let Some(keeper) = keeper.as_ref().filter(|keeper| outlet != Some(&keeper.outlet())) {
            outlets.push(match outlet {
                Some(_) => keeper.let_go().left_future(),
                None => keeper.end().right_future(),
            });
        }
    }
    (join_all(consoles).map(drop), join_all(outlets).map(drop))
}
