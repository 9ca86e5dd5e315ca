//! What flows from the lab and has an end, read whole: what a search finds, what a console printed.

use protocol::Error;
use protocol::address::Address;
use protocol::board::BoardName;
use protocol::client::{self, Flow};
use protocol::console::{From, Pen};
use protocol::search::{Hit, Search};
use protocol::wire::Follow;
use tokio::io::AsyncReadExt;

use crate::past::Printed;

/// How much of a console's history lies above the screen as it looked then.
const TAIL: u64 = 256 * 1024;

/// How much is read of what it printed next.
const AHEAD: u64 = 256 * 1024;

/// What a search finds.
pub(super) async fn hits(address: &Address, search: Search) -> Result<Vec<Hit>, Error> {
    let (mut flow, _) = client::follow(address, Follow::Search(search)).await?;
    let mut hits = Vec::new();
    loop {
        match client::next_line(&mut flow).await? {
            Some(line) if line.is_empty() => return Ok(hits),
            // A line that cannot be read is something that a newer daemon says.
            Some(line) => hits.extend(serde_json::from_str::<Hit>(&line)),
            // What ends without an end may have missed something.
            None => return Err(broken("it ended before all was searched")),
        }
    }
}

/// How a console looked when so much was printed, and what it printed next.
pub(super) async fn past(
    address: &Address,
    board: BoardName,
    offset: u64,
) -> Result<Printed, Error> {
    let from = From::Screen { offset: Some(offset), tail: TAIL };
    let follow = Follow::Console { board, from, pen: Pen::Unwanted, stop_at_end: true };
    let (mut flow, welcome) = client::follow(address, follow).await?;
    let length = welcome.painted + offset.saturating_sub(welcome.start);
    let before = read(&mut flow, length).await?;
    let after = read(&mut flow, AHEAD).await?;
    Ok(Printed { offset: offset.max(welcome.start), before, after })
}

async fn read(flow: &mut Flow, length: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let done = flow.take(length).read_to_end(&mut bytes).await;
    done.map(|_| bytes).map_err(|why| broken(&why.to_string()))
}

fn broken(why: &str) -> Error {
    Error::Unreachable { address: "the lab".to_owned(), why: why.to_owned() }
}
