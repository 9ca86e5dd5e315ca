//! What is followed: a response whose body flows until either side has had enough.
//!
//! Where the stream really begins is in the header `Lab-Start`; a console's follower types under the number
//! in `Lab-Session`, and takes so many bytes as `Lab-Painted` says for what paints the screen.

use std::collections::BTreeMap;
use std::io;
use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, RawPathParams};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::StreamExt;
use futures::stream::once;
use protocol::console::{From, Pen};
use protocol::search::Search;
use protocol::wire::{self, Follow, Purpose, Welcome};
use protocol::{Error, Time};
use serde::de::DeserializeOwned;
use serde::de::value::{Error as ValueError, StrDeserializer};
use tokio::io::{BufReader, duplex};
use tokio_util::io::ReaderStream;

use super::problem::Problem;
use crate::lab::Lab;
use crate::rpc::calls::Caller;
use crate::rpc::listen;

/// So much waits for a follower who does not read.
const BUFFER: usize = 64 * 1024;

/// Something that flows.
#[derive(Debug)]
pub(super) struct Flow {
    /// Its name in the document.
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) about: &'static str,
    /// What may be in the query.
    pub(super) query: &'static [(&'static str, &'static str)],
    pub(super) content: &'static str,
    what: fn(&Words) -> Result<Follow, Error>,
}

/// JSON, an object a line.
const LINES: &str = "application/x-ndjson";

/// All that flows.
pub(super) const FLOWS: [Flow; 8] = [
    Flow {
        name: "console",
        path: "/boards/{board}/console",
        about: "A console's bytes as they are. Lab-Session is the number to type under.",
        query: &[
            (
                "from",
                "boot, start, end, screen, a span ago as 10m, or @OFFSET; the end if not said",
            ),
            ("pen", "wanted, to type; the caller holds the board"),
            ("end", "true: what there is, and no more"),
        ],
        content: "application/octet-stream",
        what: |words| {
            let board = words.said("board")?.ok_or_else(|| bad("which board?"))?;
            let from = words.said("from")?.unwrap_or(From::End);
            let pen = match words.get("pen") {
                None | Some("unwanted") => Pen::Unwanted,
                Some("wanted") => Pen::Wanted,
                Some(_) => return Err(bad("pen is wanted, or not said")),
            };
            Ok(Follow::Console { board, from, pen, stop_at_end: words.is("end")? })
        },
    },
    Flow {
        name: "desk",
        path: "/boards/{board}/desk",
        about: "Who is at a console, as a line; another whenever that has changed.",
        query: &[],
        content: LINES,
        what: |words| {
            Ok(Follow::Desk { board: words.said("board")?.ok_or_else(|| bad("which board?"))? })
        },
    },
    Flow {
        name: "timeline",
        path: "/timeline",
        about: "The timeline, an entry a line.",
        query: &[
            ("board", "only this board's"),
            ("from", "the first entry's number"),
            ("since", "not before this time, in milliseconds since 1970"),
            ("tail", "without either: so many of the newest first"),
            ("end", "true: what there is, and no more"),
        ],
        content: LINES,
        what: |words| {
            let (board, from, tail) =
                (words.said("board")?, words.said("from")?, words.said("tail")?);
            let stop_at_end = words.is("end")?;
            // Who asks for what there is, and not for how much of it, wants all.
            let from = from.or((stop_at_end && tail.is_none()).then_some(1));
            let (since, tail) = (words.said("since")?.map(Time), tail.unwrap_or_default());
            Ok(Follow::Journal { board, from, since, tail, stop_at_end })
        },
    },
    Flow {
        name: "replay",
        path: "/boards/{board}/replay",
        about: "What a console printed, with times, and what happened to its board, in one order, a moment a line.",
        query: &[
            ("from", "boot, start, end, a span ago as 10m, or @OFFSET; the end if not said"),
            ("until", "the same: no further than that, or than there is"),
            ("end", "true: what there is, and no more"),
        ],
        content: LINES,
        what: |words| {
            let board = words.said("board")?.ok_or_else(|| bad("which board?"))?;
            let from = words.said("from")?.unwrap_or(From::End);
            let (until, stop_at_end) = (words.said("until")?, words.is("end")?);
            Ok(Follow::Replay { board, from, until, stop_at_end })
        },
    },
    Flow {
        name: "table",
        path: "/table",
        about: "The board table, a board a line: all of them, an empty line, then each that has changed.",
        query: &[],
        content: LINES,
        what: |_| Ok(Follow::Boards),
    },
    Flow {
        name: "keep",
        path: "/holds/{number}/keep",
        about: "Nothing. While it is followed, the hold or the place with that number is kept.",
        query: &[],
        content: "application/octet-stream",
        what: |words| {
            Ok(Follow::Keep { number: words.said("number")?.ok_or_else(|| bad("which hold?"))? })
        },
    },
    Flow {
        name: "export",
        path: "/admin/export",
        about: "The lab's whole state as JSON lines, the last of which has the hash of the others.",
        query: &[],
        content: LINES,
        what: |_| Ok(Follow::Export),
    },
    Flow {
        name: "search",
        path: "/search",
        about: "Lines of consoles that match, a hit a line as they are found, then an empty line.",
        query: &[
            ("pattern", "what is looked for"),
            ("regex", "true: the pattern is a regex"),
            ("case", "smart, matters or ignored; smart if not said"),
            ("board", "only this board's"),
            ("class", "only of boards of this class"),
            ("since", "not before this, in milliseconds since 1970"),
            ("until", "not after this"),
            ("direction", "backward or forward; backward, the newest first, if not said"),
            ("from", "the offset to begin at, if a board is named"),
            ("limit", "so many hits at most"),
        ],
        content: LINES,
        what: |words| {
            Ok(Follow::Search(Search {
                pattern: words.said("pattern")?.ok_or_else(|| bad("which pattern?"))?,
                regex: words.is("regex")?,
                case: words.word("case")?,
                boards: words.said("board")?.into_iter().collect(),
                class: words.said("class")?,
                since: words.said("since")?.map(Time),
                until: words.said("until")?.map(Time),
                direction: words.word("direction")?,
                from: words.said("from")?,
                limit: words.said("limit")?,
            }))
        },
    },
];

/// Adds the routes of all that flows.
pub(super) fn routes(router: Router<Arc<Lab>>) -> Router<Arc<Lab>> {
    FLOWS.iter().fold(router, |router, flow| {
        let handler =
            async move |caller: Caller,
                        path: RawPathParams,
                        Query(query): Query<BTreeMap<String, String>>| {
                match follow(flow, caller, &path, query).await {
                    Ok(response) => response,
                    Err(why) => Problem(why).into_response(),
                }
            };
        router.route(flow.path, get(handler))
    })
}

async fn follow(
    flow: &'static Flow,
    Caller { lab, peer }: Caller,
    path: &RawPathParams,
    query: BTreeMap<String, String>,
) -> Result<Response, Error> {
    if let Some(name) = query.keys().find(|name| flow.query.iter().all(|(known, _)| known != name))
    {
        return Err(bad(format!("there is no '{name}' to say here")));
    }
    let in_path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let what = (flow.what)(&Words(query.into_iter().chain(in_path).collect()))?;
    // As on a connection of its own.
    let (here, there) = duplex(BUFFER);
    let can_end = can_end(&what);
    let attend = listen::attend(lab.clone(), peer, Purpose::Follow(what), there);
    let attend = tokio::spawn(lab.answer(attend));
    let mut here = BufReader::new(here);
    let Welcome { start, session, painted, .. } = wire::answer(&mut here).await?;
    let headers = [
        ("content-type", flow.content.to_owned()),
        ("lab-start", start.to_string()),
        ("lab-session", session.to_string()),
        ("lab-painted", painted.to_string()),
    ];
    let cut = once(async move {
        let is_whole = can_end && matches!(attend.await, Ok(Ok(())));
        (!is_whole).then(|| Err(io::ErrorKind::ConnectionAborted.into()))
    });
    let flowing = ReaderStream::with_capacity(here, BUFFER);
    let body = flowing.chain(cut.filter_map(async |cut| cut));
    Ok((headers, Body::from_stream(body)).into_response())
}

/// Whether something comes to its end by itself. All else is broken off, and never looks whole.
fn can_end(what: &Follow) -> bool {
    match what {
        Follow::Console { stop_at_end, .. } | Follow::Journal { stop_at_end, .. } => *stop_at_end,
        Follow::Export | Follow::Search(_) => true,
        Follow::Replay { until, stop_at_end, .. } => *stop_at_end || until.is_some(),
        Follow::Boards
        | Follow::Desk { .. }
        | Follow::Keep { .. }
        | Follow::Send { .. }
        | Follow::Tunnel { .. } => false,
    }
}

/// What a path and a query say.
struct Words(BTreeMap<String, String>);

impl Words {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn said<T: FromStr<Err: ToString>>(&self, name: &str) -> Result<Option<T>, Error> {
        let read = |text: &str| text.parse().map_err(|why: T::Err| bad(why.to_string()));
        self.get(name).map(read).transpose()
    }

    /// One of a few words; the usual one if none is said.
    fn word<T: Default + DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        let read = |word: &str| {
            let deserializer = StrDeserializer::<ValueError>::new(word);
            T::deserialize(deserializer).map_err(|why| bad(format!("{name}: {why}")))
        };
        self.get(name).map_or_else(|| Ok(T::default()), read)
    }

    fn is(&self, name: &str) -> Result<bool, Error> {
        Ok(self.said(name)?.unwrap_or_default())
    }
}

fn bad(why: impl ToString) -> Error {
    Error::Bad { why: why.to_string() }
}
