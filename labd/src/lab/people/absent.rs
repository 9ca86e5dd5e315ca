//! For whom which board is there, also while they are away; and that nobody keeps one, or waits for one, that
//! is not.
//!
//! Groups and roles change at an administrator's word, with time, and with the configuration. Of whom
//! nothing is known, nothing is decided: a directory server that is away takes no board from anybody.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use protocol::board::BoardName;
use protocol::hold::Hold;
use protocol::user::{UserName, Who};
use protocol::{Error, Time};

use super::super::tasks::ended;
use super::super::{Lab, Remembered};
use super::{Peer, Proof, established, system};
use crate::config::Config;
use crate::rules::access;
use crate::rules::hold::Book;
use crate::rules::people::People;

/// Those who hold or wait for something, as the system knows them.
pub(in crate::lab) type Absent = Vec<Peer>;

/// For whom which board is there, by one configuration.
pub(in crate::lab) struct Sight {
    /// None, if they have no role at all.
    people: HashMap<UserName, Option<Who>>,
    /// Of the boards that are not everybody's.
    groups: HashMap<BoardName, Vec<String>>,
}

impl Sight {
    pub(in crate::lab) fn of(
        absent: &Absent,
        people: &People,
        config: &Config,
        now: Time,
    ) -> Sight {
        let known = |peer: &Peer| (peer.name.clone(), established(people, config, peer, now).ok());
        let boards = config.boards.iter().filter(|board| !board.groups.is_empty());
        Sight {
            people: absent.iter().map(known).collect(),
            groups: boards.map(|board| (board.name.clone(), board.groups.clone())).collect(),
        }
    }

    /// Whether a board is there for somebody, as far as is known.
    pub(in crate::lab) fn sees(&self, who: &UserName, board: &BoardName) -> bool {
        match (self.groups.get(board), self.people.get(who)) {
            (Some(groups), Some(who)) => {
                who.as_ref().is_some_and(|who| access::is_theirs(who, groups))
            }
            _ => true,
        }
    }

    /// A hold of a board that was there for its holder in this sight, and is not in `next`.
    pub(in crate::lab) fn lost<'a>(&self, next: &Sight, book: &'a Book) -> Option<&'a Hold> {
        let mut holds = book.holds();
        holds.find(|Hold { who, board, .. }| self.sees(who, board) && !next.sees(who, board))
    }
}

impl Lab {
    /// Everybody who holds or waits for something and of whom something is known.
    pub(in crate::lab) async fn absent(&self) -> Absent {
        let names: BTreeSet<UserName> = {
            let remembered = self.book.lock();
            let book = &remembered.book;
            let waiting = book.all_waiting().map(|waiting| waiting.who.clone());
            book.holds().map(|hold| hold.who.clone()).chain(waiting).collect()
        };
        let mut absent = Vec::new();
        for name in names {
            if system::answers(name.clone()).await {
                absent.extend(self.of_name(name).await.ok());
            }
        }
        absent
    }

    /// Takes from everybody what is not there for them any more. `changed` is somebody about whom an
    /// administrator has just decided: if nobody knows them now, they are nobody.
    ///
    /// # Errors
    /// [`Error::CannotRecord`].
    pub(in crate::lab) async fn withdraw_hidden(
        self: &Arc<Self>,
        changed: Option<&UserName>,
    ) -> Result<(), Error> {
        let mut absent = self.absent().await;
        if let Some(name) = changed
            && absent.iter().all(|peer| peer.name != *name)
            && system::answers(name.clone()).await
        {
            absent.push(Peer::new(name.clone(), Proof::System, String::new()));
        }
        let sight = {
            let Remembered { people, .. } = &*self.remembered()?;
            Sight::of(&absent, people, &self.config(), self.clock.now())
        };
        let sees = |who: &UserName, board: &BoardName| sight.sees(who, board);
        self.decide(None, |book, now| Ok(book.withdraw(sees, now)))?.settled().await.map(drop)
    }

    /// When a role that was granted for a while is over next.
    fn next_role_ends(&self) -> Option<Time> {
        let (now, remembered) = (self.clock.now(), self.book.lock());
        let people = &remembered.people;
        people.accounts().filter_map(|account| people.next_end(&account.name, now)).min()
    }
}

/// The task that takes what somebody had by a role that was granted for a while.
pub(in crate::lab) async fn follow_roles(lab: Arc<Lab>) {
    let (mut changes, mut ending) = (lab.access_changes(), lab.ending());
    loop {
        changes.mark_unchanged();
        let next = lab.next_role_ends();
        let due = async {
            match next {
                Some(next) => lab.clock.until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            _ = changes.changed() => continue,
            () = ended(&mut ending) => return,
        }
        if let Err(error) = lab.withdraw_hidden(None).await {
            tracing::error!(%error, "who has lost a role keeps what came of it");
        }
    }
}
