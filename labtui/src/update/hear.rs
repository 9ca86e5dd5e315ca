//! What the lab's feeds say, taken into the model.

use protocol::board::Board;
use protocol::journal::{Entry, Event};
use protocol::{Span, Time};

use super::{Effect, alarms, calendar, call, grid, pen, refresh};
use crate::call::Call;
use crate::emulator::Emulator;
use crate::feed::{FeedId, News};
use crate::keys::{Action, Group};
use crate::model::{Console, Link, Model, Page};
use crate::notice::Tone;

/// The lab's clock may be ahead of ours by this much before anybody is told.
const SKEW: Span = Span::seconds(2);

pub(super) fn hear(model: &mut Model, feed: FeedId, news: News, effects: &mut Vec<Effect>) {
    match feed {
        FeedId::Boards => hear_boards(model, news, effects),
        FeedId::Timeline(number) if is_audit(model, number) => hear_audit(model, news),
        FeedId::Timeline(number) => {
            let Some(closeup) = model.closeup.as_mut().filter(|it| it.feed == number) else {
                return;
            };
            closeup.link = link(&closeup.link, model.now, &news);
            if let News::Entries(entries) = news {
                hear_entries(model, entries, effects);
            }
        }
        FeedId::Journal => {
            if let News::Entries(entries) = news {
                alarms::tell(model, &entries);
            }
        }
        FeedId::Desk(number) => {
            if let Some(console) = model.console.as_mut().filter(|it| it.feed == number) {
                match news {
                    News::Desk(desk) => console.desk = Some(desk),
                    News::Down { .. } | News::Refused(_) => console.desk = None,
                    _ => {}
                }
            }
        }
        FeedId::Console(number) => {
            let connected = matches!(news, News::Up(_));
            if let Some(console) = model.console.as_mut().filter(|it| it.feed == number) {
                let Console { link, session, emulator, .. } = console;
                print(link, session, emulator, model.now, news);
            } else {
                return grid::hear(model, number, news, effects);
            }
            if connected {
                refresh(model, effects);
            }
        }
    }
}

fn hear_boards(model: &mut Model, news: News, effects: &mut Vec<Effect>) {
    if model.link == Link::Up {
        model.seen = model.now;
    }
    model.link = link(&model.link, model.now, &news);
    match news {
        News::Up(_) => call(model, Call::WhoAmI, effects),
        News::Boards(boards) => {
            tell_of_holds(model, &boards);
            model.table.replace(boards);
            refresh(model, effects);
            calendar::refresh(model, effects);
        }
        News::Changed(boards) => {
            tell_of_holds(model, &boards);
            let moved = boards.iter().any(|board| is_news(&model.table.row(&board.name), board));
            let look = model.closeup.as_ref().map(|closeup| &closeup.board);
            let other = boards.iter().filter(|board| Some(&board.name) == look);
            let lively =
                other.into_iter().any(|board| is_news(&model.table.row(&board.name), board));
            model.table.change(boards);
            if moved {
                calendar::refresh(model, effects);
            }
            if lively {
                refresh(model, effects);
            }
        }
        _ => {}
    }
}

/// Whether a row says more than that the board printed another line.
fn is_news(old: &Option<&Board>, new: &Board) -> bool {
    let Some(old) = old else { return true };
    let silent = Board { last_line: old.last_line.clone(), ..new.clone() };
    **old != silent
}

/// Says which boards became ours, or were taken from us, without our doing.
fn tell_of_holds(model: &mut Model, boards: &[Board]) {
    for board in boards {
        let old = model.table.row(&board.name);
        let had = old.filter(|old| model.is_mine(old)).and_then(|old| old.hold.as_ref());
        let lost = had.map(|hold| hold.number).filter(|_| !model.is_mine(board));
        let name = &board.name;
        if lost.is_some_and(|number| !model.let_go.contains(&number)) {
            model.say(Tone::News, &format!("Your hold of {name} is over; its timeline says how."));
        }
        if model.is_mine(board) && model.awaited.remove(name) {
            let console = model.typed(Group::Boards, Action::Console);
            model.say(Tone::News, &format!("{name} is yours now. {console}: its console."));
        }
    }
}

fn is_audit(model: &Model, number: u64) -> bool {
    model.audit.as_ref().is_some_and(|audit| audit.feed == number)
}

/// More of the lab's timeline. What is looked at stays where it is.
fn hear_audit(model: &mut Model, news: News) {
    let Some(audit) = &mut model.audit else { return };
    audit.link = link(&audit.link, model.now, &news);
    let News::Entries(entries) = news else { return };
    let found = audit.extend(entries);
    if let Some(Page::Audit(back @ 1..)) = &mut model.page {
        *back = (*back + found).min(audit.entries.len().saturating_sub(1));
    }
}

/// More of the timeline. The board's details are read again, unless somebody only typed.
fn hear_entries(model: &mut Model, entries: Vec<Entry>, effects: &mut Vec<Effect>) {
    pen::tell(model, &entries);
    if let Some(ahead) = entries.iter().map(|entry| entry.at.since(model.now)).max() {
        model.skew = Some(ahead).filter(|ahead| *ahead > SKEW);
    }
    let typed = |entry: &Entry| matches!(entry.event, Event::Typed { .. });
    let lively = !entries.iter().all(typed);
    if let Some(closeup) = &mut model.closeup {
        closeup.extend(entries);
    }
    if lively {
        refresh(model, effects);
    }
}

/// What the feed of a console says.
pub(super) fn print(
    stands: &mut Link,
    session: &mut Option<u64>,
    emulator: &mut Emulator,
    now: Time,
    news: News,
) {
    *stands = link(stands, now, &news);
    match news {
        News::Up(welcome) => *session = Some(welcome.session),
        News::Down { .. } | News::Refused(_) => *session = None,
        News::Gap(bytes) => {
            let gap = format!("\r\n[{bytes} bytes that were printed here are no longer kept]\r\n");
            emulator.print(gap.as_bytes());
        }
        News::Bytes(bytes) => emulator.print(&bytes),
        _ => {}
    }
}

/// How a feed stands after it said this.
fn link(old: &Link, now: Time, news: &News) -> Link {
    match news {
        News::Up(_) => Link::Up,
        News::Refused(why) => Link::Refused(why.clone()),
        News::Down { why, attempt, pause } => {
            Link::Down { why: why.clone(), attempt: *attempt, next: now + *pause }
        }
        _ => old.clone(),
    }
}
