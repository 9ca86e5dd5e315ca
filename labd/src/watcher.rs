//! The watcher: what a board's console shows and its outlet does, and what follows from it.
//!
//! The line hands over what it has recorded, in the same step; the keeper, that power is about to change.
//! What that means is for [`crate::rules`] to say. Here it is written down: boots and what triggers saw go on
//! the timeline, and a boot is also a record of the store, so that it goes on under the next daemon. What is
//! to be typed goes back to the line; all other deeds are the lab's.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use protocol::Time;
use protocol::board::BoardName;
use protocol::boot::{Boot, Outcome, Usual};
use protocol::journal::{By, Event};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::journal::{Mark, Recording};
use crate::ledger::{Draft, Ledger, Write};
use crate::rules::boot::{Change, History, Moment, Plan, Sight, Tracker};
use crate::rules::limit::{Lately, Verdict};
use crate::rules::pattern::{Match, Scan};
use crate::rules::trigger::{Deed, Meaning, Orders, Trigger};

/// So many boots of a board are records; the timeline has them all.
const KEPT: u64 = 1_000;
/// Of so many of them is learnt how long boots of the class take.
const LEARNT: usize = 50;
/// So much of a line stands on the timeline, in characters.
const TEXT: usize = 200;
/// No more than this is read again at the start.
const AGAIN: u64 = 64 * 1024;

/// The key under which a boot is written down.
pub fn boot_key(board: &BoardName, number: u64) -> String {
    format!("{}{number:010}", boots_of(board))
}

/// How the keys of a board's boots begin.
pub fn boots_of(board: &BoardName) -> String {
    format!("boot/{board}/")
}

/// A board's watcher.
pub struct Watcher {
    board: BoardName,
    ledger: Ledger,
    clock: Clock,
    mark: Arc<Mark>,
    deeds: mpsc::Sender<Happening>,
    state: Mutex<State>,
}

struct State {
    /// What to look for; none if there is no console.
    orders: Option<Arc<Orders>>,
    history: Arc<Mutex<History>>,
    scan: Scan,
    tracker: Tracker,
    /// How often each trigger has matched.
    lately: Vec<Lately>,
    /// The first byte that was not looked at yet.
    next: u64,
}

/// Everything a watcher stands on.
pub struct Ground {
    /// Where the events are.
    pub ledger: Ledger,
    /// What time it is.
    pub clock: Clock,
    /// What to touch when the board looks different.
    pub mark: Arc<Mark>,
    /// Who does what is to be done.
    pub deeds: mpsc::Sender<Happening>,
}

/// What a trigger has the line type.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// As whom.
    pub by: By,
    /// What.
    pub bytes: Vec<u8>,
}

/// What a trigger has the lab do.
#[derive(Debug, Clone)]
pub struct Happening {
    /// On which board's console it matched.
    pub board: BoardName,
    /// Its name.
    pub trigger: String,
    /// The line so far.
    pub text: String,
    /// When, by the lab's clock.
    pub at: Time,
    /// How many bytes the console had printed up to the match's end.
    pub offset: u64,
    /// What is to be done.
    pub deed: Deed,
}

impl Watcher {
    /// Watches from here on, and knows the board's boots so far. Nothing is looked for before
    /// [`Watcher::take`].
    pub fn new(board: BoardName, boots: &[Boot], is_on: Option<bool>, ground: Ground) -> Watcher {
        let Ground { ledger, clock, mark, deeds } = ground;
        let state = State {
            orders: None,
            history: Arc::default(),
            scan: Scan::default(),
            tracker: Tracker::new(boots.last().cloned(), is_on),
            lately: Vec::new(),
            next: 0,
        };
        Watcher { board, ledger, clock, mark, deeds, state: Mutex::new(state) }
    }

    /// Looks for this from now on, in the line that the console is in: what came of it is in the recording.
    ///
    /// # Errors
    /// The disk's, with the file's name. What is printed from now on is looked at all the same.
    pub fn take(
        &self,
        orders: Option<Arc<Orders>>,
        history: Arc<Mutex<History>>,
        recording: Option<&Recording>,
    ) -> io::Result<()> {
        let mut state = self.state.lock();
        state.history = history;
        let is_same = match (&state.orders, &orders) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (old, new) => old.is_none() && new.is_none(),
        };
        if is_same {
            return Ok(());
        }
        let triggers = orders.as_ref().map_or(0, |orders| orders.triggers.len());
        (state.scan, state.lately) = (Scan::default(), vec![Lately::default(); triggers]);
        let is_first = std::mem::replace(&mut state.orders, orders).is_none();
        recording.map_or(Ok(()), |recording| self.catch_up(&mut state, recording, is_first))
    }

    /// Looks again at the line so far; if this daemon has just started, also at what the last one may have
    /// seen of a boot and not written down.
    fn catch_up(&self, state: &mut State, recording: &Recording, is_first: bool) -> io::Result<()> {
        let end = recording.end();
        let boot = state.tracker.newest().filter(|it| is_first && it.outcome == Outcome::Going);
        let seen = boot.map_or(end, |it| it.stages.last().map_or(it.offset, |last| last.offset));
        state.next = end;
        let from = recording.line_start(seen.clamp(end.saturating_sub(AGAIN), end))?;
        let mut buffer = vec![0; usize::try_from(end - from).unwrap_or(0)];
        let (from, read) = recording.read(from, &mut buffer)?;
        state.next = from;
        // What triggers do was done, or is too late.
        drop(self.see(state, from, &buffer[..read], seen));
        Ok(())
    }

    /// The console has printed this from offset `start` on. What is to be typed at once comes back.
    pub fn printed(&self, start: u64, bytes: &[u8]) -> Vec<Reply> {
        let happened = self.see(&mut self.state.lock(), start, bytes, start);
        let (mut replies, mut others) = (Vec::new(), Vec::new());
        for happening in happened {
            match happening.deed {
                Deed::Send(bytes) => replies.push(Reply { by: by(&happening.trigger), bytes }),
                _ => others.push(happening),
            }
        }
        for happening in others {
            let (trigger, offset) = (happening.trigger.clone(), happening.offset);
            if self.deeds.try_send(happening).is_err() {
                let text = "too much else is to be done, and this is not".to_owned();
                self.write(by(&trigger), offset, Event::Noted { text }, Vec::new());
            }
        }
        replies
    }

    /// The board's outlet is about to be switched.
    pub fn switch(&self, is_on: bool, offset: u64) {
        self.track(offset, |tracker, now| tracker.switch(is_on, now));
    }

    /// The board's outlet was seen.
    pub fn notice(&self, is_on: bool, offset: u64) {
        self.track(offset, |tracker, now| tracker.notice(is_on, now).into_iter().collect());
    }

    /// The board's reset button was pressed.
    pub fn reset(&self, offset: u64) {
        self.track(offset, |tracker, now| tracker.reset(now));
    }

    /// Time has passed: the boot that goes on may hang.
    pub fn look(&self, offset: u64) {
        let history = self.state.lock().history.clone();
        self.track(offset, |tracker, now| tracker.look(&history.lock(), now).into_iter().collect());
    }

    /// How long boots of the board's class take.
    pub fn usual(&self) -> Vec<Usual> {
        let history = self.state.lock().history.clone();
        history.lock().all_usual()
    }

    fn track(&self, offset: u64, see: impl FnOnce(&mut Tracker, Moment) -> Vec<Change>) {
        let now = Moment { at: self.clock.now(), offset };
        let mut state = self.state.lock();
        // Without a console nobody would see how a boot ends.
        if state.orders.is_some() {
            let changes = see(&mut state.tracker, now);
            // Power was cut in the middle of a line, as likely as not.
            if changes.iter().any(|change| matches!(change.event, Event::BootBegan { .. })) {
                state.scan.end_line();
            }
            self.remember(&state.history, changes);
        }
    }

    /// Looks at bytes from offset `start` on. What ends by `seen` is known. Returns what is to be done.
    fn see(&self, state: &mut State, start: u64, bytes: &[u8], seen: u64) -> Vec<Happening> {
        let at = self.clock.now();
        let State { orders, history, scan, tracker, lately, next } = state;
        let Some(orders) = orders else { return Vec::new() };
        let known = usize::try_from(next.saturating_sub(start)).unwrap_or(usize::MAX);
        let bytes = bytes.get(known..).unwrap_or_default();
        let start = start.max(*next);
        *next = start + bytes.len() as u64;
        let (mut changes, mut happened) = (Vec::new(), Vec::new());
        scan.see(&orders.patterns, bytes, |Match { pattern, end }, line| {
            let now = Moment { at, offset: start + end as u64 };
            if now.offset <= seen {
                return;
            }
            let (changed, matched) = match orders.meanings[pattern] {
                Meaning::Stage(stage, nth) => {
                    (tracker.see(&orders.plan, Sight::Stage(stage, nth), now), None)
                }
                Meaning::Panic => (tracker.see(&orders.plan, Sight::Panic, now), None),
                Meaning::Trigger(nth) => {
                    self.matched(&orders.triggers[nth], &mut lately[nth], line, now)
                }
            };
            changes.extend(changed);
            happened.extend(matched.into_iter().flatten());
        });
        self.remember(history, changes);
        happened
    }

    /// What is to be written down of a trigger that has matched, and what is to be done.
    fn matched(
        &self,
        trigger: &Trigger,
        lately: &mut Lately,
        line: &[u8],
        Moment { at, offset }: Moment,
    ) -> (Vec<Change>, Option<Vec<Happening>>) {
        let name = trigger.name.clone();
        let told = |event| vec![Change { event, offset, boot: None }];
        match lately.again(trigger.limit, at) {
            Verdict::StillMuted => (Vec::new(), None),
            Verdict::Muted => {
                (told(Event::Muted { trigger: name, span: trigger.limit.every }), None)
            }
            Verdict::Allowed => {
                let text = protocol::text::plain(line, TEXT);
                let happening = |deed: &Deed| Happening {
                    board: self.board.clone(),
                    trigger: name.clone(),
                    text: text.clone(),
                    at,
                    offset,
                    deed: deed.clone(),
                };
                let happened = trigger.deeds.iter().map(happening).collect();
                (told(Event::Matched { trigger: name.clone(), text: text.clone() }), Some(happened))
            }
        }
    }

    /// Writes down what has changed, in order.
    fn remember(&self, history: &Mutex<History>, changes: Vec<Change>) {
        for Change { event, offset, boot } in changes {
            let mut writes = Vec::new();
            if let Some(boot) = boot {
                writes.push(Write::put(boot_key(&self.board, boot.number), &boot));
                let old = boot.number.checked_sub(KEPT).filter(|_| boot.stages.is_empty());
                writes.extend(old.map(|old| Write::Delete(boot_key(&self.board, old))));
                if boot.outcome != Outcome::Going {
                    history.lock().learn(&boot);
                }
            }
            self.write(By::default(), offset, event, writes);
        }
    }

    fn write(&self, by: By, offset: u64, event: Event, writes: Vec<Write>) {
        let (board, offset) = (Some(self.board.clone()), Some(offset));
        drop(self.ledger.stage(Draft { by, board, offset, event, writes }));
        self.mark.touch();
    }
}

/// As whom a trigger acts.
pub fn by(trigger: &str) -> By {
    By { via: Some(format!("trigger {trigger}")), ..By::default() }
}

/// What boards have in common: what is looked for, and how long boots of a class take.
#[derive(Default)]
pub struct Common {
    orders: Mutex<Vec<Weak<Orders>>>,
    histories: Mutex<BTreeMap<String, Arc<Mutex<History>>>>,
}

impl Common {
    /// What is looked for, as one with all boards for which it is the same.
    ///
    /// # Errors
    /// Why it cannot be looked for.
    pub fn orders(&self, plan: &Plan, triggers: &[Trigger]) -> Result<Arc<Orders>, String> {
        let mut all = self.orders.lock();
        all.retain(|orders| orders.strong_count() > 0);
        let is_this = |orders: &Arc<Orders>| orders.plan == *plan && orders.triggers == triggers;
        if let Some(known) = all.iter().filter_map(Weak::upgrade).find(is_this) {
            return Ok(known);
        }
        let orders = Arc::new(Orders::new(plan.clone(), triggers.to_vec())?);
        all.push(Arc::downgrade(&orders));
        Ok(orders)
    }

    /// How long boots of a class take.
    pub fn history(&self, class: &str) -> Arc<Mutex<History>> {
        self.histories.lock().entry(class.to_owned()).or_default().clone()
    }

    /// Learns how long a class's boots take from those of one of its boards, oldest first.
    pub fn learn(&self, class: &str, boots: &[Boot]) {
        let history = self.history(class);
        let mut history = history.lock();
        let done: Vec<_> = boots.iter().filter(|boot| boot.outcome == Outcome::Done).collect();
        done[done.len().saturating_sub(LEARNT)..].iter().for_each(|boot| history.learn(boot));
    }
}
