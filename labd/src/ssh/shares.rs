//! What one user's visits may take of the daemon, however many connections and channels they have.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use protocol::Error;
use protocol::user::UserName;

use crate::doorstep::guests::{Guest, Guests, Room, User};

/// So many programs run at a time, of one user and in all.
const PROGRAMS: Room = Room { all: 256, one: 32 };
/// So much of what one user sends waits to be taken, in bytes.
const SENT: usize = 32 << 20;

/// All users' shares.
pub(super) struct Shares {
    programs: Arc<Guests>,
    waiting: Mutex<HashMap<UserName, Weak<AtomicUsize>>>,
}

impl Shares {
    /// Nobody has taken any.
    pub(super) fn new() -> Shares {
        Shares { programs: Guests::new(PROGRAMS), waiting: Mutex::default() }
    }

    /// Room for one more program, as long as what is returned lives.
    ///
    /// # Errors
    /// [`Error::Bad`] if there is none.
    pub(super) fn program(&self, who: &UserName) -> Result<Guest, Error> {
        let Room { all, one } = PROGRAMS;
        let why = || {
            format!(
                "you have {one} programs running in this lab by ssh, or all have {all}, the most there may be; end some"
            )
        };
        let room = self.programs.admit(User::Elsewhere(who.clone()));
        room.map_err(|_| Error::Bad { why: why() })
    }

    /// What waits of all that a user sends.
    pub(super) fn waiting(&self, who: &UserName) -> Arc<AtomicUsize> {
        let mut all = self.waiting.lock();
        all.retain(|_, theirs| theirs.strong_count() > 0);
        if let Some(theirs) = all.get(who).and_then(Weak::upgrade) {
            return theirs;
        }
        let theirs = Arc::<AtomicUsize>::default();
        all.insert(who.clone(), Arc::downgrade(&theirs));
        theirs
    }
}

/// What waits on one channel.
pub(super) struct Waiting<'a> {
    bytes: Vec<u8>,
    all: &'a AtomicUsize,
}

impl<'a> Waiting<'a> {
    /// Nothing; of all that waits of this user's.
    pub(super) fn new(all: &'a AtomicUsize) -> Waiting<'a> {
        Waiting { bytes: Vec::new(), all }
    }

    /// What waits here.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether there is more of this user's than may wait.
    pub(super) fn is_too_much(&self) -> bool {
        self.all.load(Ordering::Relaxed) > SENT
    }

    /// More is to wait.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.all.fetch_add(bytes.len(), Ordering::Relaxed);
    }

    /// So much was taken.
    pub(super) fn take(&mut self, taken: usize) {
        self.bytes.drain(..taken);
        self.all.fetch_sub(taken, Ordering::Relaxed);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserName {
        name.parse().expect("a name")
    }

    #[test]
    fn the_next_program_is_refused_with_a_sentence_and_others_have_theirs() {
        let shares = Shares::new();
        let mut running: Vec<_> =
            (0..PROGRAMS.one).map(|_| shares.program(&user("ada")).expect("room")).collect();
        let why = shares.program(&user("ada")).expect_err("too many").to_string();
        assert!(why.starts_with("you have 32 programs running"), "{why}");
        let _bobs = shares.program(&user("bob")).expect("room for others");
        running.pop();
        shares.program(&user("ada")).expect("room again");
    }

    #[test]
    fn what_waits_counts_once_for_all_channels_of_a_user() {
        let shares = Shares::new();
        let (ada, again) = (shares.waiting(&user("ada")), shares.waiting(&user("ada")));
        let bob = shares.waiting(&user("bob"));
        let (mut first, mut second) = (Waiting::new(&ada), Waiting::new(&again));
        first.add(&vec![0; SENT]);
        assert!(!first.is_too_much() && !second.is_too_much());
        second.add(b"x");
        assert!(first.is_too_much() && !Waiting::new(&bob).is_too_much());
        first.take(1);
        assert!(!second.is_too_much());
        second.add(b"y");
        drop(first);
        assert_eq!((second.bytes(), ada.load(Ordering::Relaxed)), (&b"xy"[..], 2));
    }
}
