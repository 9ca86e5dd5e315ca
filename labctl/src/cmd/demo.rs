//! `labctl demo`: a lab made of nothing.

use protocol::Span;
use protocol::address::Address;
use protocol::demo;

use super::boards;
use crate::At;
use crate::print::Output;

/// A demo that was started here goes on this long after the last client has left.
const LINGER: Span = Span::minutes(30);

/// Start a lab made of nothing, or find the one that runs.
#[derive(Debug, clap::Args)]
pub struct Demo {}

impl Demo {
    pub(super) async fn run(self, _at: &At, out: &mut Output) -> anyhow::Result<()> {
        demo::find_or_start(LINGER).await?;
        let boards = demo::table(&Address::demo()).await?;
        out.list("boards", &boards, |out| boards::table(out, &boards))?;
        out.say(demo::next_steps(&Address::demo()));
        Ok(())
    }
}
