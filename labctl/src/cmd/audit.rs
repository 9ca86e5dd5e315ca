//! `labctl audit`: who did what, from where and with which request, and what they were not allowed.

use clap::Subcommand;
use jiff::Zoned;
use jiff::civil::DateTime;
use protocol::board::BoardName;
use protocol::journal::{Entry, Event};
use protocol::text;
use protocol::user::UserName;
use protocol::{Span, Time};

use super::admin::Admin;
use super::timeline::Timeline;
use super::{journal, offer, want};
use crate::At;
use crate::print::Output;
use crate::style::Style;

/// Where somebody came from has at most so many characters.
const LONGEST: usize = 200;

const ABOUT: &str = "\
All conditions must be true of what is shown, oldest first. WHEN is a span ago (2h, 7d), a day \
(2026-11-20) or a minute ('2026-11-20 09:00') of your time zone. What concerns who may do what, and what \
others were not allowed, is shown to moderators only.";

/// Show who did what, from where, and what was not allowed.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, after_help = ABOUT)]
pub struct Audit {
    #[command(subcommand)]
    look: Option<Look>,
    /// What this user did
    #[arg(short, long, add = offer::users())]
    user: Option<UserName>,
    /// What was done to this board
    #[arg(short, long, add = want::boards())]
    board: Option<BoardName>,
    /// What was not allowed
    #[arg(short, long)]
    denied: bool,
    /// Not before this
    #[arg(short, long, value_name = "WHEN", value_parser = moment)]
    since: Option<Time>,
    /// Not after this
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Time>,
    /// Who came from there or with that: an address, 'token t4k9'
    #[arg(long, value_name = "TEXT")]
    via: Option<String>,
    /// All that came of one request: r12
    #[arg(short, long, value_name = "REQUEST", value_parser = request)]
    request: Option<u64>,
    /// Go on with what happens
    #[arg(short, long)]
    follow: bool,
}

/// What else can be done.
#[derive(Debug, Subcommand)]
enum Look {
    /// Compare every hash of the ledger, and name the first entry that is not as it was written
    Verify,
}

impl Audit {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        if let Some(Look::Verify) = self.look {
            return Admin::Verify.run(at, out).await;
        }
        // Who follows for days renews their login meanwhile.
        let _lab = if self.follow { Some(at.connect().await?) } else { None };
        let (board, stop_at_end) = (self.board.clone(), !self.follow);
        let mut timeline = Timeline::since(at, board, self.since, stop_at_end).await?;
        while let Some((line, entry)) = timeline.next().await? {
            if !self.is_met_by(&entry) {
                continue;
            }
            if out.is_json() { out.json(&line)? } else { out.line(sentence(out, &entry))? }
        }
        Ok(())
    }

    fn is_met_by(&self, entry: &Entry) -> bool {
        let Entry { at, who, via, request, event, .. } = entry;
        let is_somebodys = who.is_some() || via.is_some() || self.request.is_some();
        is_somebodys
            && self.user.as_ref().is_none_or(|user| who.as_ref() == Some(user))
            && (!self.denied || is_denied(event))
            && self.since.is_none_or(|since| since <= *at)
            && self.until.is_none_or(|until| *at <= until)
            && self.request.is_none_or(|number| *request == Some(number))
            && self
                .via
                .as_ref()
                .is_none_or(|part| via.as_ref().is_some_and(|via| via.contains(part)))
    }
}

fn is_denied(event: &Event) -> bool {
    matches!(event, Event::Denied { .. })
}

fn sentence(out: &Output, entry: &Entry) -> String {
    let at = out.paint(out.instant(entry.at), Style::Faint);
    let may = match is_denied(&entry.event) {
        true => out.paint("denied ", Style::Bad),
        false => "allowed".to_owned(),
    };
    let request = entry.request.map_or_else(|| "-".to_owned(), |number| format!("r{number}"));
    let who = match (&entry.who, entry.via.is_some()) {
        (Some(who), _) => who.to_string(),
        (None, true) => "a stranger".to_owned(),
        (None, false) => "the lab".to_owned(),
    };
    let via = entry.via.as_ref().map(|via| format!(" ({})", text::plain(via.as_bytes(), LONGEST)));
    let board = entry.board.as_ref().map(|board| format!("{board} ")).unwrap_or_default();
    let event = journal::event(out, &entry.event);
    format!("{at} {may} {request} {board}{who}{}: {event}", via.unwrap_or_default())
}

/// `2h` ago, `2026-11-20`, `2026-11-20 09:00`.
pub(super) fn moment(text: &str) -> Result<Time, String> {
    let now = Zoned::now();
    let local = |at: DateTime| at.to_zoned(now.time_zone().clone()).ok();
    let (at, ago) = match text.parse::<Span>() {
        Ok(span) => (Some(now.clone()), span),
        Err(_) => (text.parse().ok().and_then(local), Span(0)),
    };
    let ms = at.and_then(|at| u64::try_from(at.timestamp().as_millisecond()).ok());
    let why = || format!("'{text}' is no time; write 2h, 2026-11-20, or '2026-11-20 09:00'");
    ms.map(|ms| Time(ms) - ago).ok_or_else(why)
}

/// `r12`.
fn request(text: &str) -> Result<u64, String> {
    want::number(text.strip_prefix('r').unwrap_or(text))
}
