//! `labctl at`: how a board stood at an instant of the past.

use protocol::Time;
use protocol::board::BoardName;
use protocol::client;
use protocol::console::From;
use protocol::journal::{Entry, Event};
use protocol::power::PowerState;
use protocol::screen::{self, Terminal};
use protocol::text;
use protocol::user::UserName;
use protocol::wire::Follow;
use serde::Serialize;

use super::past::screen_at;
use super::timeline::Timeline;
use super::want;
use super::when::when;
use crate::At as Address;
use crate::print::Output;

/// Show how a board stood then: who had it, its power, its screen.
#[derive(Debug, clap::Args)]
pub struct At {
    /// When: 10m (ago), 14:20, 2026-03-01T02:14, @OFFSET
    #[arg(value_name = "WHEN", value_parser = when)]
    when: From,
    /// The board
    #[arg(add = want::boards())]
    board: BoardName,
}

/// How it stood.
#[derive(Debug, Default, Serialize)]
struct Stand {
    /// How many bytes the console had printed.
    offset: u64,
    /// Who had it.
    holder: Option<UserName>,
    power: PowerState,
    /// When it was last switched on.
    on_since: Option<Time>,
    /// What had happened last.
    last: Option<Entry>,
    /// The lines of the screen.
    screen: Vec<String>,
}

impl At {
    pub(super) async fn run(self, at: &Address, out: &mut Output) -> anyhow::Result<()> {
        let offset = self.offset(at).await?;
        let mut stand = Stand { offset, ..Stand::default() };
        let mut timeline = Timeline::open(at, Some(self.board.clone()), Some(1), 0, true).await?;
        let before = |entry: &Entry| match self.when {
            From::Time { time } => entry.at <= time,
            From::Ago { span } => entry.at <= out.now() - span,
            _ => entry.offset.is_none_or(|then| then <= offset),
        };
        while let Some((_, entry)) = timeline.next().await? {
            if !before(&entry) {
                break;
            }
            stand.take(entry);
        }
        let mut terminal = Terminal::new(screen::SIZE.0, screen::SIZE.1, 0);
        terminal.print(&screen_at(at, &self.board, offset).await?);
        stand.screen = terminal.lines();
        let used = stand.screen.iter().rposition(|line| !line.is_empty());
        stand.screen.truncate(used.map_or(0, |last| last + 1));
        let sentence = stand.sentence(&self.board, out);
        out.tell("stand", &stand, sentence)?;
        Ok(())
    }

    /// How many bytes the console had printed.
    async fn offset(&self, at: &Address) -> Result<u64, protocol::Error> {
        let (board, from) = (self.board.clone(), self.when);
        let what = Follow::Replay { board, from, until: Some(from), stop_at_end: true };
        client::follow(&at.address(), what).await.map(|(_, welcome)| welcome.start)
    }
}

impl Stand {
    fn take(&mut self, entry: Entry) {
        match &entry.event {
            Event::Reserved { .. } => self.holder.clone_from(&entry.who),
            Event::Ended { .. } | Event::Freed => self.holder = None,
            Event::PowerSeen { state } => self.power = *state,
            Event::PowerSent { to: PowerState::On } => self.on_since = Some(entry.at),
            _ => {}
        }
        self.last = Some(entry);
    }

    fn sentence(&self, board: &BoardName, out: &Output) -> String {
        let holder = match &self.holder {
            Some(holder) => format!("{board} was {holder}'s"),
            None => format!("{board} was nobody's"),
        };
        let since = self.on_since.filter(|_| self.power == PowerState::On);
        let since = since.map(|at| format!(" since {}", out.instant(at))).unwrap_or_default();
        let last = self.last.as_ref().map(|entry| {
            let who = entry.who.as_ref().map(|who| format!("{who}: ")).unwrap_or_default();
            let event = text::plain(entry.event.to_string().as_bytes(), 200);
            format!("\n{} {who}{event}", out.instant(entry.at))
        });
        let screen: String = self.screen.iter().map(|line| format!("\n    | {line}")).collect();
        let last = last.unwrap_or_default();
        format!(
            "{holder}; power {}{since}; @{} on its console{last}{screen}",
            self.power, self.offset
        )
    }
}
