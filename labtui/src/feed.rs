//! Following what flows from the lab, for as long as somebody looks.
//!
//! A feed is one task with one connection. When the connection breaks, it says so, waits, and goes on
//! where it was: at the next entry of a timeline, at the next byte of a console. It waits for whoever
//! reads its news and keeps nothing for them.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use protocol::address::Address;
use protocol::board::{Board, BoardName};
use protocol::client::{self, Flow};
use protocol::console::{Desk, From, Pen};
use protocol::journal::Entry;
use protocol::wire::{Follow, Welcome};
use protocol::{Error, Span};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::update::Message;

/// How much of a console's history is shown at once, behind the screen as it stood before.
const TAIL: u64 = 256 * 1024;

/// How much of a board's timeline is shown at once.
const ENTRIES: u32 = 1_000;

/// The most lines, or bytes, that travel as one piece of news.
const MOST_LINES: usize = 512;
const MOST_BYTES: usize = 64 * 1024;

/// Selecting one board after another connects only where somebody stays this long.
const STAYS: Duration = Duration::from_millis(80);

const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Which feed some news came from. A feed that has been replaced may still have news on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedId {
    /// The board table.
    Boards,
    /// The timeline that was asked for with this number.
    Timeline(u64),
    /// The console that was attached with this number.
    Console(u64),
    /// Who is at that console.
    Desk(u64),
    /// What happens in the whole lab.
    Journal,
}

/// What a feed says.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// It is connected.
    Up(Welcome),
    /// It is not, and will try again.
    Down {
        /// Why.
        why: Error,
        /// How many times it has failed since it was connected.
        attempt: u32,
        /// When it will try again, from now.
        pause: Span,
    },
    /// It never will be.
    Refused(Error),
    /// All boards.
    Boards(Vec<Board>),
    /// Some boards, as they are now.
    Changed(Vec<Board>),
    /// Who is at a console now.
    Desk(Desk),
    /// More of a timeline.
    Entries(Vec<Entry>),
    /// So many bytes of a console are no longer kept.
    Gap(u64),
    /// More of a console.
    Bytes(Vec<u8>),
}

/// So long a console that was left may take to be sent what was typed on it.
const PARTING: Duration = Duration::from_secs(1);

/// A running feed; dropping it ends it.
pub struct Feed {
    task: JoinHandle<()>,
}

impl Feed {
    /// Ends the feed of a console as soon as the lab has read what was typed.
    pub async fn leave(mut self, keys: Keystrokes) {
        drop(keys);
        // Whoever has left does not wait for a lab that is away.
        let _ = tokio::time::timeout(PARTING, &mut self.task).await;
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where keystrokes for a console go.
pub type Keystrokes = mpsc::Sender<Vec<u8>>;

/// Follows the board table.
pub fn boards(address: Address, to: mpsc::Sender<Message>) -> Feed {
    start(address, Subject::Boards, Outlet { id: FeedId::Boards, to })
}

/// Follows the timeline of a board, its newest entries first.
pub fn timeline(
    address: Address,
    number: u64,
    board: BoardName,
    to: mpsc::Sender<Message>,
) -> Feed {
    let id = FeedId::Timeline(number);
    start(address, Subject::Timeline { board: Some(board), next: None }, Outlet { id, to })
}

/// Follows the timeline of the whole lab, its newest entries first.
pub fn audit(address: Address, number: u64, to: mpsc::Sender<Message>) -> Feed {
    let id = FeedId::Timeline(number);
    start(address, Subject::Timeline { board: None, next: None }, Outlet { id, to })
}

/// Follows what happens in the whole lab from now on.
pub fn journal(address: Address, to: mpsc::Sender<Message>) -> Feed {
    start(address, Subject::Journal { next: None }, Outlet { id: FeedId::Journal, to })
}

/// Follows who is at the console of a board.
pub fn desk(address: Address, number: u64, board: BoardName, to: mpsc::Sender<Message>) -> Feed {
    start(address, Subject::Desk { board }, Outlet { id: FeedId::Desk(number), to })
}

/// Follows the console of a board from a little before now, and types on it.
pub fn console(
    address: Address,
    number: u64,
    board: BoardName,
    pen: Pen,
    to: mpsc::Sender<Message>,
) -> (Feed, Keystrokes) {
    let (keys, typed) = mpsc::channel(64);
    let subject = Subject::Console { board, pen, tail: TAIL, at: None, typed };
    (start(address, subject, Outlet { id: FeedId::Console(number), to }), keys)
}

/// Follows the console of a board from its screen on, beside others, and types on it once somebody
/// takes the pen.
pub fn pane(
    address: Address,
    number: u64,
    board: BoardName,
    to: mpsc::Sender<Message>,
) -> (Feed, Keystrokes) {
    let (keys, typed) = mpsc::channel(64);
    let subject = Subject::Console { board, pen: Pen::Unwanted, tail: 0, at: None, typed };
    (start(address, subject, Outlet { id: FeedId::Console(number), to }), keys)
}

fn start(address: Address, subject: Subject, outlet: Outlet) -> Feed {
    Feed { task: tokio::spawn(keep_following(address, subject, outlet)) }
}

async fn keep_following(address: Address, mut subject: Subject, outlet: Outlet) {
    if matches!(subject, Subject::Timeline { .. }) {
        tokio::time::sleep(STAYS).await;
    }
    let mut attempt = 0;
    loop {
        let why = match client::follow(&address, subject.wish()).await {
            Ok((flow, welcome)) => {
                attempt = 0;
                outlet.tell(News::Up(welcome.clone())).await;
                subject.flow(flow, welcome, &outlet).await
            }
            Err(why) => why,
        };
        if subject.is_left() {
            return;
        }
        match subject.after(&why) {
            Next::AtOnce => continue,
            Next::Never => return outlet.tell(News::Refused(why)).await,
            Next::Later => attempt += 1,
        }
        let pause = pause(attempt, chance());
        outlet.tell(News::Down { why, attempt, pause: pause.into() }).await;
        tokio::time::sleep(pause).await;
    }
}

/// Twice as long after each failure, and between half of that and all of it, so that a lab that comes
/// back is not met by everybody at once.
fn pause(attempt: u32, chance: u64) -> Duration {
    let doubled = SHORTEST_PAUSE.saturating_mul(1 << attempt.clamp(1, 16).saturating_sub(1));
    let longest = doubled.min(LONGEST_PAUSE).max(SHORTEST_PAUSE);
    let spread = (longest.as_millis() as u64) / 2;
    (longest - Duration::from_millis(chance % (spread + 1))).max(SHORTEST_PAUSE)
}

/// The standard library seeds its hash maps by chance, which is enough to spread clients.
fn chance() -> u64 {
    RandomState::new().hash_one(0)
}

struct Outlet {
    id: FeedId,
    to: mpsc::Sender<Message>,
}

impl Outlet {
    /// Waits until there is room; news for nobody are dropped, since labtui is about to end.
    async fn tell(&self, news: News) {
        let _ = self.to.send(Message::News { feed: self.id, news }).await;
    }
}

/// What is followed, and how far it has been read.
enum Subject {
    Boards,
    Journal {
        next: Option<u64>,
    },
    Timeline {
        board: Option<BoardName>,
        next: Option<u64>,
    },
    Desk {
        board: BoardName,
    },
    Console {
        board: BoardName,
        pen: Pen,
        tail: u64,
        at: Option<u64>,
        typed: mpsc::Receiver<Vec<u8>>,
    },
}

enum Next {
    AtOnce,
    Later,
    Never,
}

impl Subject {
    fn wish(&self) -> Follow {
        match self {
            Subject::Boards => Follow::Boards,
            Subject::Desk { board } => Follow::Desk { board: board.clone() },
            Subject::Journal { next } => Follow::Journal {
                board: None,
                from: *next,
                since: None,
                tail: 0,
                stop_at_end: false,
            },
            Subject::Timeline { board, next } => {
                let (board, from) = (board.clone(), *next);
                Follow::Journal { board, from, since: None, tail: ENTRIES, stop_at_end: false }
            }
            Subject::Console { board, pen, tail, at, .. } => {
                let screen = From::Screen { offset: None, tail: *tail };
                let from = at.map_or(screen, |offset| From::Offset { offset });
                Follow::Console { board: board.clone(), from, pen: *pen, stop_at_end: false }
            }
        }
    }

    /// Whether it is a console that nobody types on any more.
    fn is_left(&self) -> bool {
        matches!(self, Subject::Console { typed, .. } if typed.is_closed())
    }

    /// What follows a failure. Somebody who may not type may still look.
    fn after(&mut self, why: &Error) -> Next {
        let refused = matches!(
            why,
            Error::NoSuch { .. }
                | Error::Lacks { .. }
                | Error::NotAllowed { .. }
                | Error::OutOfScope { .. }
                | Error::NotHeld { .. }
                | Error::HeldBy { .. }
                | Error::HoldOver { .. }
        );
        match self {
            Subject::Boards | Subject::Journal { .. } => Next::Later,
            Subject::Console { pen, .. } if refused && *pen == Pen::Wanted => {
                *pen = Pen::Unwanted;
                Next::AtOnce
            }
            _ if refused => Next::Never,
            _ => Next::Later,
        }
    }

    /// Passes on what flows, until it breaks; says how.
    async fn flow(&mut self, mut flow: Flow, welcome: Welcome, outlet: &Outlet) -> Error {
        match self {
            Subject::Boards => broken(pass_boards(&mut flow, outlet).await),
            Subject::Desk { .. } => broken(pass_desk(&mut flow, outlet).await),
            Subject::Journal { next } | Subject::Timeline { next, .. } => {
                broken(pass_entries(&mut flow, next, outlet).await)
            }
            Subject::Console { at, typed, .. } => {
                // What was typed while the board could not be reached would surprise it now.
                while typed.try_recv().is_ok() {}
                if let Err(error) = pass_paint(&mut flow, welcome.painted, outlet).await {
                    return broken(Err(error));
                }
                let (read, write) = tokio::io::split(flow);
                let start = at.unwrap_or(welcome.start);
                if welcome.start > start {
                    outlet.tell(News::Gap(welcome.start - start)).await;
                }
                let known = start.saturating_sub(welcome.start);
                let next = at.insert(start.max(welcome.start));
                tokio::select! {
                    end = pass_bytes(read, known, next, outlet) => broken(end),
                    end = pass_keys(typed, write) => broken(end),
                }
            }
        }
    }
}

fn broken(end: std::io::Result<()>) -> Error {
    let why = match end {
        Ok(()) => "it closed the connection".to_owned(),
        Err(error) => error.to_string(),
    };
    Error::Unreachable { address: "the lab".to_owned(), why }
}

fn io(error: Error) -> std::io::Error {
    std::io::Error::other(error)
}

async fn pass_boards(flow: &mut Flow, outlet: &Outlet) -> std::io::Result<()> {
    let mut all = Vec::new();
    loop {
        match client::next_line(flow).await.map_err(io)? {
            None => return Ok(()),
            Some(line) if line.is_empty() => break,
            Some(line) => all.extend(serde_json::from_str(&line)),
        }
    }
    outlet.tell(News::Boards(all)).await;
    while let Some(lines) = next_lines(flow).await? {
        // A line that cannot be read is something that a newer daemon says.
        let changed = lines.iter().filter_map(|line| serde_json::from_str(line).ok());
        outlet.tell(News::Changed(changed.collect())).await;
    }
    Ok(())
}

async fn pass_desk(flow: &mut Flow, outlet: &Outlet) -> std::io::Result<()> {
    while let Some(lines) = next_lines(flow).await? {
        // Only how it is by now counts.
        if let Some(desk) = lines.iter().rev().find_map(|line| serde_json::from_str(line).ok()) {
            outlet.tell(News::Desk(desk)).await;
        }
    }
    Ok(())
}

async fn pass_entries(
    flow: &mut Flow,
    next: &mut Option<u64>,
    outlet: &Outlet,
) -> std::io::Result<()> {
    while let Some(lines) = next_lines(flow).await? {
        let read = lines.iter().filter_map(|line| serde_json::from_str(line).ok());
        let due = |entry: &Entry| next.is_none_or(|next| entry.seq >= next);
        let entries: Vec<Entry> = read.filter(due).collect();
        *next = entries.last().map(|entry| entry.seq + 1).or(*next);
        outlet.tell(News::Entries(entries)).await;
    }
    Ok(())
}

/// The next line, and those that have come with it.
async fn next_lines(flow: &mut Flow) -> std::io::Result<Option<Vec<String>>> {
    let Some(first) = client::next_line(flow).await.map_err(io)? else { return Ok(None) };
    let mut lines = vec![first];
    while lines.len() < MOST_LINES && flow.buffer().contains(&b'\n') {
        lines.extend(client::next_line(flow).await.map_err(io)?);
    }
    Ok(Some(lines))
}

/// Passes on what paints the screen as it stood where the bytes begin.
async fn pass_paint(flow: &mut Flow, painted: u64, outlet: &Outlet) -> std::io::Result<()> {
    let mut paint = Vec::new();
    flow.take(painted).read_to_end(&mut paint).await?;
    if !paint.is_empty() {
        outlet.tell(News::Bytes(paint)).await;
    }
    Ok(())
}

/// Passes bytes on, except the first `known`, and keeps `next` at the offset after the last.
async fn pass_bytes(
    mut read: ReadHalf<Flow>,
    known: u64,
    next: &mut u64,
    outlet: &Outlet,
) -> std::io::Result<()> {
    tokio::io::copy(&mut (&mut read).take(known), &mut tokio::io::sink()).await?;
    let mut piece = vec![0; MOST_BYTES];
    loop {
        let length = read.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        outlet.tell(News::Bytes(piece[..length].to_vec())).await;
        *next += length as u64;
    }
}

async fn pass_keys(
    typed: &mut mpsc::Receiver<Vec<u8>>,
    mut write: WriteHalf<Flow>,
) -> std::io::Result<()> {
    while let Some(keys) = typed.recv().await {
        write.write_all(&keys).await?;
    }
    // Nobody types any more. The lab ends the connection when it has read what was typed.
    write.shutdown().await?;
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_ten_seconds_and_are_spread() {
        assert_eq!(pause(1, 0), Duration::from_millis(250));
        assert_eq!(pause(2, 0), Duration::from_millis(500));
        assert_eq!(pause(3, 0), Duration::from_secs(1));
        assert_eq!(pause(u32::MAX, 0), LONGEST_PAUSE);
        for attempt in 0..40 {
            for chance in [1, 77, 4_999, u64::MAX] {
                let pause = pause(attempt, chance);
                assert!(pause >= SHORTEST_PAUSE && pause <= LONGEST_PAUSE, "{attempt} {chance}");
            }
        }
        assert_ne!(pause(9, 1), pause(9, 2));
    }
}
