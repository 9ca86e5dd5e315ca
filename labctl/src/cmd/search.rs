//! `labctl search`: in what consoles ever printed.

use std::process::ExitCode;

use protocol::board::BoardName;
use protocol::search::{Case, Direction, Hit, Search as Ask};
use protocol::text::is_plain;
use protocol::wire::Follow;
use protocol::{Error, Time, client};

use super::audit::moment;
use super::want;
use crate::At;
use crate::print::Output;
use crate::style::Style;

const ABOUT: &str = "\
Searched is the text of each line: colours and cursor movements do not count, and what was written over is \
as it was in the end. Capital letters matter if there is one in PATTERN. Each hit is told with its offset: \
'labctl console BOARD --since @OFFSET' shows what came after. WHEN is a span ago (2h, 7d), a day \
(2026-11-20) or a minute ('2026-11-20 09:00') of your time zone. The exit status is 1 if nothing is found.";

/// Search in what consoles ever printed.
#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub struct Search {
    /// What to look for: a text, or a regex with -e
    pattern: String,
    /// On this board only; may be given again
    #[arg(short, long, value_name = "BOARD", add = want::boards())]
    board: Vec<BoardName>,
    /// On boards of this class only
    #[arg(short, long, add = want::classes())]
    class: Option<String>,
    /// Not before this
    #[arg(short, long, value_name = "WHEN", value_parser = moment)]
    since: Option<Time>,
    /// Not after this
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Time>,
    /// PATTERN is a regex
    #[arg(short = 'e', long)]
    regex: bool,
    /// Capital letters do not matter
    #[arg(short, long)]
    ignore_case: bool,
    /// Capital letters matter
    #[arg(long, conflicts_with = "ignore_case")]
    case_sensitive: bool,
    /// The oldest first
    #[arg(long)]
    oldest: bool,
    /// So many hits at most
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 100)]
    #[arg(value_parser = want::number::<u64>)]
    limit: u64,
}

impl Search {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<ExitCode> {
        let limit = self.limit;
        let (mut flow, _) = client::follow(&at.address(), Follow::Search(self.ask())).await?;
        let mut found = 0;
        loop {
            match client::next_line(&mut flow).await? {
                None => return Err(broken().into()),
                Some(line) if line.is_empty() => break,
                Some(line) => {
                    found += 1;
                    let hit: Hit = serde_json::from_str(&line)?;
                    if out.is_json() { out.json(&line)? } else { out.line(sentence(out, &hit))? }
                }
            }
        }
        match found {
            0 => out.say("nothing is found"),
            _ if found == limit => out.say(format_args!("the first {limit}; --limit shows more")),
            _ => {}
        }
        Ok(ExitCode::from(u8::from(found == 0)))
    }

    fn ask(self) -> Ask {
        Ask {
            pattern: self.pattern,
            regex: self.regex,
            case: match (self.ignore_case, self.case_sensitive) {
                (true, _) => Case::Ignored,
                (_, true) => Case::Matters,
                _ => Case::Smart,
            },
            boards: self.board,
            class: self.class,
            since: self.since,
            until: self.until,
            direction: if self.oldest { Direction::Forward } else { Direction::Backward },
            from: None,
            limit: Some(self.limit),
        }
    }
}

/// A search that ends without an end may have missed something.
fn broken() -> Error {
    let why = "it ended before all was searched".to_owned();
    Error::Unreachable { address: "the connection".to_owned(), why }
}

fn sentence(out: &Output, hit: &Hit) -> String {
    let at = out.paint(out.instant(hit.at), Style::Faint);
    let offset = out.paint(format_args!("@{}", hit.offset), Style::Faint);
    format!("{at} {} {offset} {}", hit.board, emphasised(out, hit))
}

/// The line with its matches.
fn emphasised(out: &Output, hit: &Hit) -> String {
    let (mut line, mut at) = (String::new(), 0);
    let plain = |text: &str| text.chars().filter(|c| is_plain(*c)).collect::<String>();
    for (from, to) in &hit.spans {
        // They come from elsewhere.
        if let (Some(before), Some(found)) = (hit.line.get(at..*from), hit.line.get(*from..*to)) {
            line += &plain(before);
            line += &out.paint(plain(found), Style::Busy);
            at = *to;
        }
    }
    line + &plain(hit.line.get(at..).unwrap_or_default())
}
