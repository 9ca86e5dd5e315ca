//! `labctl board`: everything about one board.

use protocol::board::{BoardDetail, BoardName};
use protocol::console::LineQuality;
use protocol::text::plain;

use super::want;
use crate::At;
use crate::print::Output;
use crate::style::Style;

/// Show everything about a board.
#[derive(Debug, clap::Args)]
pub struct Board {
    /// The board
    #[arg(add = want::boards())]
    board: BoardName,
}

impl Board {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let detail = at.connect().await?.board(self.board).await?;
        let text = lines(out, &detail);
        out.tell("board", &detail, text)?;
        Ok(())
    }
}

fn lines(out: &Output, detail: &BoardDetail) -> String {
    let board = &detail.board;
    let mut lines = Vec::new();
    let mut line = |label: &str, text: String| {
        let text = plain(text.as_bytes(), 1_000);
        if !text.is_empty() {
            lines.push(format!("{} {text}", out.paint(format!("{label:<12}"), Style::Head)));
        }
    };
    line("board", board.name.to_string());
    line("class", board.class.clone());
    line("tags", board.tags.join(", "));
    line("groups", board.groups.join(", "));
    line("description", detail.description.clone().unwrap_or_default());
    line("state", board.state.to_string());
    if let Some(hold) = &board.hold {
        let note = hold.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        line(
            "held by",
            format!("{} until {} (hold {}){note}", hold.who, out.time(hold.until), hold.number),
        );
    }
    line("fault", board.fault.clone().unwrap_or_default());
    if let Some(outlet) = &detail.outlet {
        let doing = outlet.doing.map(|ask| format!(", being asked to {ask}")).unwrap_or_default();
        line("power", format!("{}{doing} ({})", outlet.state, outlet.outlet));
    }
    if let Some(console) = &detail.line {
        line(
            "console",
            format!("{} ({}), {} bytes so far", console.state, console.device, console.end),
        );
        if let Some(quality) = &console.quality {
            line("line", on_line(quality));
        }
        for viewer in &console.viewers {
            let stands = viewer.stands().map(|how| format!(", {how}")).unwrap_or_default();
            line("viewer", format!("{} since {}{stands}", viewer.who, out.time(viewer.since)));
        }
    }
    line("network", detail.macs.join(", "));
    for (name, value) in &detail.attributes {
        line(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    line(
        "hold for",
        format!("{} unless you say, {} at most", detail.default_span, detail.longest_span),
    );
    for place in &detail.queue {
        line(
            "waiting",
            format!("{} since {}, for {}", place.who, out.time(place.since), place.want),
        );
    }
    lines.join("\n")
}

/// What went wrong on a line, and what may be the matter.
fn on_line(quality: &LineQuality) -> String {
    let errors = quality.errors.map(|errors| {
        let (bytes, rate) = (quality.bytes, quality.errors_per_mb().unwrap_or_default());
        let bad = if quality.is_bad() { "bad: " } else { "" };
        format!("{bad}errors: {errors} in {bytes} bytes ({rate} a MB)")
    });
    let said: Vec<_> = errors.into_iter().chain(quality.hint.clone()).collect();
    said.join("; ")
}
