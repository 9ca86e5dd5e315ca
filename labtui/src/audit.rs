//! Who did what, and what they were not allowed: the lab's whole journal, through a filter.

use std::collections::VecDeque;

use protocol::board::BoardName;
use protocol::journal::{Entry, Event};
use protocol::user::UserName;

use crate::model::Link;

/// How many entries are kept of those that the filter finds.
const KEPT: usize = 2_000;

/// The journal, as somebody looks through it.
#[derive(Debug)]
pub struct Audit {
    /// Names its feed.
    pub feed: u64,
    /// How the feed stands.
    pub link: Link,
    /// What is looked for.
    pub sought: Sought,
    /// What was found, newest last.
    pub entries: VecDeque<Entry>,
}

/// What is looked for. All that is said must be so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sought {
    /// What this user did.
    pub user: Option<UserName>,
    /// What was done to this board.
    pub board: Option<BoardName>,
    /// Who came from there or with that.
    pub via: Option<String>,
    /// What was not allowed.
    pub denied: bool,
}

impl Audit {
    /// A look at a journal of which nothing is known yet.
    pub fn new(feed: u64, sought: Sought) -> Audit {
        Audit { feed, link: Link::Connecting, sought, entries: VecDeque::new() }
    }

    /// More of the journal; says how many entries of it were found.
    pub fn extend(&mut self, entries: Vec<Entry>) -> usize {
        let before = self.entries.len();
        self.entries.extend(entries.into_iter().filter(|entry| self.sought.finds(entry)));
        let found = self.entries.len() - before;
        let surplus = self.entries.len().saturating_sub(KEPT);
        self.entries.drain(..surplus);
        found
    }
}

impl Sought {
    /// What words say: `user=ada board=rk-1 via=10.0.0.7 denied`.
    ///
    /// # Errors
    /// The word that says nothing.
    pub fn read(words: &[&str]) -> Result<Sought, String> {
        let mut sought = Sought::default();
        for word in words {
            let why = |why: String| format!("{word}: {why}.");
            match word.split_once('=') {
                Some(("user", name)) => {
                    sought.user = Some(name.parse().map_err(|it| why(format!("{it}")))?);
                }
                Some(("board", name)) => {
                    sought.board = Some(name.parse().map_err(|it| why(format!("{it}")))?);
                }
                Some(("via", text)) => sought.via = Some(text.to_owned()),
                None if *word == "denied" => sought.denied = true,
                _ => return Err(why("write user=, board=, via= or denied".to_owned())),
            }
        }
        Ok(sought)
    }

    /// Whether somebody did it, and it is what is looked for.
    pub fn finds(&self, entry: &Entry) -> bool {
        let Entry { who, via, board, event, .. } = entry;
        let from = |part: &String| via.as_ref().is_some_and(|via| via.contains(part));
        (who.is_some() || via.is_some())
            && self.user.as_ref().is_none_or(|user| who.as_ref() == Some(user))
            && self.board.as_ref().is_none_or(|sought| board.as_ref() == Some(sought))
            && self.via.as_ref().is_none_or(from)
            && (!self.denied || is_denied(event))
    }
}

/// Whether somebody was not allowed to do something.
pub fn is_denied(event: &Event) -> bool {
    matches!(event, Event::Denied { .. })
}

#[cfg(test)]
mod tests {
    use protocol::Time;
    use protocol::user::Verb;

    use super::*;

    fn entry(who: Option<&str>, board: &str, event: Event) -> Entry {
        let (who, board) = (who.map(|it| it.parse().unwrap()), Some(board.parse().unwrap()));
        let via = Some("10.0.0.7 ssh".to_owned()).filter(|_| who.is_some());
        Entry { seq: 1, at: Time(0), who, via, request: None, board, offset: None, event }
    }

    fn sought(words: &[&str]) -> Sought {
        Sought::read(words).unwrap()
    }

    #[test]
    fn all_that_is_said_must_be_so() {
        let denied = Event::Denied { verb: Verb::Power, why: "it is held".to_owned() };
        let ada = entry(Some("ada"), "rk-1", denied);
        for words in [&[][..], &["user=ada"], &["board=rk-1", "denied"], &["via=0.0.7"]] {
            assert!(sought(words).finds(&ada), "{words:?}");
        }
        for words in [&["user=bob"][..], &["user=ada", "board=rk-2"], &["via=0.0.8"]] {
            assert!(!sought(words).finds(&ada), "{words:?}");
        }
        assert!(!sought(&["denied"]).finds(&entry(Some("ada"), "rk-1", Event::Break)));
        assert!(!sought(&[]).finds(&entry(None, "rk-1", Event::Break)), "the lab's own doing");
    }

    #[test]
    fn a_word_that_says_nothing_is_told() {
        let why = Sought::read(&["users=ada"]).unwrap_err();
        assert_eq!(why, "users=ada: write user=, board=, via= or denied.");
        assert!(Sought::read(&["board=a b"]).is_err());
    }
}
