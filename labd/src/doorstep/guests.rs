//! Who is connected: how many in all, and how many of each user, so that nobody's program keeps others
//! out, or the daemon from its own files.

use std::collections::HashMap;
use std::sync::Arc;

use nix::sys::resource::{Resource, getrlimit};
use parking_lot::Mutex;
use protocol::Error;
use protocol::user::UserName;
use tokio::sync::watch;

/// The most connections that one user has at a time.
const MOST: usize = 1_024;
/// Descriptors that are nobody's: the ledger's, the store's, those of programs that are run, and of
/// whoever is being refused.
const OWN: usize = 256;
/// Descriptors of one board: its console, its recording, its outlet.
const OF_BOARD: usize = 4;

/// How many may be connected.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// In all.
    pub all: usize,
    /// Of one user.
    pub one: usize,
}

impl Room {
    /// The room beside a lab of so many boards: what the system allows, less what the daemon needs. One
    /// user has no more than half of it.
    pub fn beside(boards: usize) -> Room {
        let allowed = getrlimit(Resource::RLIMIT_NOFILE).map_or(OWN as u64, |(now, _)| now);
        let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
        // Where there is little, guests and the daemon both have to make do.
        let all = allowed.saturating_sub(OWN + OF_BOARD * boards).max(allowed / 4);
        Room { all, one: MOST.min(all / 2) }
    }
}

/// Everybody who is connected.
#[derive(Debug)]
pub struct Guests {
    room: Room,
    count: watch::Sender<usize>,
    of: Mutex<HashMap<User, usize>>,
}

/// Whose a connection is, as far as its door says before it is served.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum User {
    /// Beside the rack, a user of the system.
    Here(u32),
    /// From elsewhere, somebody of that name.
    Elsewhere(UserName),
}

/// Somebody who is connected; no more when this is dropped, however that comes about.
#[derive(Debug)]
pub struct Guest {
    guests: Arc<Guests>,
    user: User,
}

impl Guests {
    /// Nobody yet.
    pub fn new(room: Room) -> Arc<Guests> {
        Arc::new(Guests { room, count: watch::Sender::new(0), of: Mutex::default() })
    }

    /// How many there are.
    pub fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// Lets a user in once more.
    ///
    /// # Errors
    /// [`Error::Bad`] if there is no room.
    pub fn admit(self: &Arc<Self>, user: User) -> Result<Guest, Error> {
        let mut of = self.of.lock();
        let theirs = of.entry(user.clone()).or_default();
        let why = if *theirs >= self.room.one {
            format!("you have {theirs} connections to this lab, the most for one user; close some")
        } else if *self.count.borrow() >= self.room.all {
            format!("this lab has {} connections, the most there may be", self.room.all)
        } else {
            *theirs += 1;
            self.count.send_modify(|count| *count += 1);
            return Ok(Guest { guests: self.clone(), user });
        };
        Err(Error::Bad { why })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut of = self.guests.of.lock();
        if let Some(theirs) = of.get_mut(&self.user) {
            *theirs -= 1;
            if *theirs == 0 {
                of.remove(&self.user);
            }
        }
        self.guests.count.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_each_and_for_all_and_who_leaves_makes_some() {
        let guests = Guests::new(Room { all: 3, one: 2 });
        let first = guests.admit(User::Here(1)).expect("room");
        let _second = guests.admit(User::Here(1)).expect("room");
        let why = guests.admit(User::Here(1)).expect_err("too many of one").to_string();
        assert!(why.starts_with("you have 2 connections"), "{why}");
        let _third = guests.admit(User::Here(2)).expect("room");
        let why = guests.admit(User::Here(3)).expect_err("too many").to_string();
        assert!(why.starts_with("this lab has 3 connections"), "{why}");
        drop(first);
        assert_eq!(*guests.count().borrow(), 2);
        guests.admit(User::Here(3)).expect("room again");
    }

    #[test]
    fn the_daemon_keeps_descriptors_for_its_boards() {
        let allowed = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit").0;
        let room = Room::beside(10);
        assert!(room.all as u64 + OWN as u64 + 40 <= allowed || room.all as u64 == allowed / 4);
        assert!(room.one <= MOST && room.one * 2 <= room.all);
    }
}
