//! The lab without a screen, for screen readers and logs: one line for everything that happens, and
//! nothing that moves a cursor. Each line that is typed is a command, or the answer to a question.

use std::io::{self, Write};
use std::process::ExitCode;

use jiff::tz::TimeZone;
use protocol::address::Address;
use protocol::board::{Board, BoardName, State};
use protocol::boot::{Boot, Seconds};
use protocol::search::Hit;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

use crate::call::{Answer, Call, Caller};
use crate::dialog::Dialog;
use crate::feed::{self, FeedId, News};
use crate::model::{Link, Model};
use crate::program::{Start, now};
use crate::text::clean;
use crate::update::{Effect, Message, update};

/// A screen on which nothing is drawn: wide enough that nothing is left out for want of room, and not
/// so wide that the details of a board would be read for each that is selected.
const SIZE: (u16, u16) = (100, 40);

/// Tells of the lab at `address` until somebody says `quit`, or nobody reads any more.
///
/// # Errors
/// The system's.
pub async fn run(address: Address, start: Start) -> anyhow::Result<ExitCode> {
    let (outlet, mut messages) = mpsc::channel(64);
    let mut model = Model::new(address.to_string(), TimeZone::system(), SIZE, now());
    model.adopt(start.settings(start.settings.clone()));
    let caller = Caller::new(address.clone(), outlet.clone());
    let _boards = feed::boards(address.clone(), outlet.clone());
    let _journal = feed::journal(address.clone(), outlet.clone());
    let mut typed = BufReader::new(tokio::io::stdin()).lines();
    let mut listening = true;
    say(&format!("{address}. Type help for the commands, quit to leave."))?;
    loop {
        let message = tokio::select! {
            message = messages.recv() => match message {
                Some(message) => message,
                None => return Ok(ExitCode::SUCCESS),
            },
            line = typed.next_line(), if listening => match line? {
                Some(line) => Message::Command(line),
                // A log goes on when nobody types.
                None => {
                    listening = false;
                    continue;
                }
            },
        };
        let (lines, effects) = tell(&mut model, message);
        lines.iter().try_for_each(|line| say(line))?;
        for effect in effects {
            match effect {
                Effect::Call(call) => caller.make(call),
                Effect::Quit => return Ok(ExitCode::SUCCESS),
                Effect::Attach { board, .. } => {
                    say(&format!("Here is no screen for a console. Try: labctl console {board}"))?;
                }
                Effect::Watch(watched) if !watched.is_empty() => {
                    say("Here is no screen for consoles side by side.")?;
                }
                Effect::Go(to) => say(&format!("Start anew: labtui --plain --lab {to}"))?,
                _ => {}
            }
        }
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Takes a message in; gives what is to be said, a line each, and what is to be done.
pub fn tell(model: &mut Model, message: Message) -> (Vec<String>, Vec<Effect>) {
    if let Message::Command(line) = &message
        && let Some(lines) = asked(model, line.trim())
    {
        return (lines, Vec::new());
    }
    let (link, asked) = (model.link.clone(), model.dialog.is_some());
    let mut lines = match &message {
        Message::News { feed: FeedId::Boards, news: News::Boards(boards) } => {
            boards.iter().map(sentence).collect()
        }
        Message::News { feed: FeedId::Boards, news: News::Changed(boards) } => {
            changed(model, boards)
        }
        Message::Answer { call, answer: Ok(answer) } => listed(call, answer),
        _ => Vec::new(),
    };
    let effects = update(model, now(), message);
    if model.link != link {
        lines.push(linked(&model.link));
    }
    lines.extend(model.notices.drain(..).map(|notice| notice.text));
    if let (Some(dialog), false) = (&model.dialog, asked) {
        lines.push(question(dialog));
    }
    // There is no console here, and no page.
    (model.console, model.grid, model.page) = (None, None, None);
    (lines, effects)
}

/// Commands that only this mode has.
fn asked(model: &Model, line: &str) -> Option<Vec<String>> {
    match line {
        "help" => {
            let names = crate::palette::names(model).join(", ");
            Some(vec![format!("Commands: {names}."), "list: every board.".to_owned()])
        }
        "list" => Some(model.table.all().map(sentence).collect()),
        _ => None,
    }
}

/// What a screen has a page for: lines that were found, and a board's boots.
fn listed(call: &Call, answer: &Answer) -> Vec<String> {
    match (call, answer) {
        (Call::Find(_), Answer::Hits(hits)) if hits.is_empty() => {
            vec!["No console that you may see has printed it.".to_owned()]
        }
        (Call::Find(_), Answer::Hits(hits)) => {
            let line = |hit: &Hit| format!("{} @{}: {}", hit.board, hit.offset, clean(&hit.line));
            hits.iter().map(line).collect()
        }
        (Call::Boots(board), Answer::Boots(boots)) => {
            boots.boots.iter().rev().map(|boot| booted(board, boot)).collect()
        }
        _ => Vec::new(),
    }
}

/// `rpi4-1: boot 12 @5000, by power, done after 12.31s`
fn booted(board: &BoardName, boot: &Boot) -> String {
    let Boot { number, offset, cause, outcome, .. } = boot;
    let took = boot.took.map(|took| format!(" after {}", Seconds(took))).unwrap_or_default();
    let hung = if boot.hung { ", hung" } else { "" };
    format!("{board}: boot {number} @{offset}, by {cause}, {outcome}{took}{hung}")
}

fn linked(link: &Link) -> String {
    match link {
        Link::Connecting => "Connecting.".to_owned(),
        Link::Up => "Live.".to_owned(),
        Link::Down { why, attempt, .. } => format!("Not live: {why}. Attempt {attempt} failed."),
        Link::Refused(why) => format!("Refused: {why}."),
    }
}

/// What is other about boards, but for what they printed.
fn changed(model: &Model, boards: &[Board]) -> Vec<String> {
    let is_other = |board: &&Board| {
        let silent = |board: &Board| Board { last_line: String::new(), ..board.clone() };
        model.table.row(&board.name).is_none_or(|old| silent(old) != silent(board))
    };
    boards.iter().filter(is_other).map(sentence).collect()
}

/// `rpi4-2: held by bob, power on, 2 wait`
fn sentence(board: &Board) -> String {
    let state = match (&board.hold, board.state) {
        (_, State::Gone) => return format!("{}: not in the lab any more", board.name),
        (Some(hold), state) => format!("{state} by {}", hold.who),
        (None, state) => state.to_string(),
    };
    let mut line = format!("{}: {state}, power {}", board.name, board.power);
    if board.waiting > 0 {
        line.push_str(&format!(", {} wait", board.waiting));
    }
    if let Some(fault) = &board.fault {
        line.push_str(&format!(", fault: {}", clean(fault)));
    }
    line
}

fn question(dialog: &Dialog) -> String {
    match dialog {
        Dialog::Question(question) => format!("{}: {}", question.title, question.about),
        Dialog::Choice(choice) => {
            let answers: Vec<&str> = choice.answers.iter().map(|(it, _)| it.as_str()).collect();
            format!("{} {} Say one of: {}.", choice.title, choice.about, answers.join(", "))
        }
    }
}
