//! A board's console: `ssh BOARD@lab`.
//!
//! Served as any viewer is: what the board prints is made safe for a terminal, what is typed reaches the
//! board if the visitor has the pen. It ends with the hold, and says so.

use std::time::Duration;

use protocol::board::BoardName;
use protocol::client::Client;
use protocol::console::{From, Pen, PenAsk, PenState};
use protocol::text::Sanitiser;
use protocol::user::Who;
use protocol::wire::{Follow, Purpose};
use protocol::{Error, Span};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, duplex, split,
};
use tokio::time::sleep;

use super::session::{Haste, Session, talk};
use super::visitor::Visitor;

/// What a terminal is shown of the past.
const SCREENFUL: u64 = 4 * 1024;
/// So much is read at once; and typed, and known to have arrived before more is.
const PIECE: usize = 4 * 1024;
/// After the end of what was to be typed, the board has so long to answer.
const LINGER: Duration = Duration::from_secs(2);

/// A viewer at a console.
struct Seat {
    flow: BufReader<DuplexStream>,
    /// Names the viewer in calls.
    session: u64,
    /// Why they only look, if they do.
    read_only: Option<Error>,
    /// Under which hold they type.
    hold: Option<u64>,
}

/// Serves a viewer until they leave or their hold is over. Returns the exit status.
///
/// # Errors
/// The lab's.
pub(super) async fn attach(session: &mut Session<'_>, board: &BoardName) -> Result<u8, Error> {
    let visitor = session.visitor;
    let at_terminal = session.wishes.terminal.is_some();
    let who = visitor.who()?;
    let calls = visitor.client().await?;
    let from = if at_terminal { From::Tail { bytes: SCREENFUL } } else { From::End };
    let seat = sit(visitor, &who, board, from).await?;
    if let Some(words) = greeting(board, &seat, &calls, at_terminal).await? {
        session.say(&words).await;
    }
    let Seat { flow, session: number, read_only, hold } = seat;
    let (heard, typed) = split(flow);
    let mut writer = session.write.make_writer();
    let left = if at_terminal {
        tokio::select! {
            () = show(heard, &mut writer) => None,
            () = talk(visitor, &mut session.read, typed, Haste::Loses, |_, _| {}) => Some(Ok(0)),
            () = visitor.until_over() => Some(Ok(1)),
        }
    } else {
        let (to, from) = duplex(PIECE);
        tokio::select! {
            () = show(heard, &mut writer) => None,
            typed = type_all(from, &calls, number, read_only) => Some(typed.map(|()| 0)),
            () = talk(visitor, &mut session.read, to, Haste::Waits, |_, _| {}) => Some(Ok(0)),
            () = visitor.until_over() => Some(Ok(1)),
        }
    };
    match left {
        Some(left) => left,
        None if visitor.who().as_ref() != Ok(&who) => {
            // Whoever is not who they were is shown out.
            visitor.until_over().await;
            Ok(1)
        }
        None => Err(why_over(visitor, &who, board, hold).await),
    }
}

/// Takes a seat with the pen, or else without.
async fn sit(visitor: &Visitor, who: &Who, board: &BoardName, from: From) -> Result<Seat, Error> {
    let ask = async |pen| {
        let board = board.clone();
        let follow = Follow::Console { board, from, pen, stop_at_end: false };
        visitor.ask(&Purpose::Follow(follow)).await
    };
    let ((flow, welcome), read_only) = match ask(Pen::Wanted).await {
        Err(why @ (Error::HeldBy { .. } | Error::NotHeld { .. } | Error::NotAllowed { .. })) => {
            (ask(Pen::Unwanted).await?, Some(why))
        }
        other => (other?, None),
    };
    let hold = visitor.door.lab.detail(who, board)?.board.hold;
    let hold = hold.filter(|hold| hold.who == who.name).map(|hold| hold.number);
    Ok(Seat { flow, session: welcome.session, read_only, hold })
}

/// What a viewer is told first.
async fn greeting(
    board: &BoardName,
    seat: &Seat,
    calls: &Client,
    at_terminal: bool,
) -> Result<Option<String>, Error> {
    let way_out = format!("[{board}: Enter ~ . leaves]\n");
    Ok(match &seat.read_only {
        Some(why) if at_terminal => Some(format!("{way_out}[read-only: {why}]\n")),
        Some(why) => Some(format!("[read-only: {why}]\n")),
        None if !at_terminal => None,
        None => match calls.pen(seat.session, PenAsk::Take).await? {
            PenState::Yours => Some(way_out),
            _ => Some(format!(
                "{way_out}[somebody else types here; the pen is yours when they give it up]\n"
            )),
        },
    })
}

/// What the board prints, as far as it is safe for a terminal, to its end.
async fn show(mut heard: impl AsyncRead + Unpin, to: &mut (impl AsyncWrite + Unpin)) {
    let (mut sanitiser, mut buffer, mut safe) = (Sanitiser::default(), vec![0; PIECE], Vec::new());
    while let Ok(read @ 1..) = heard.read(&mut buffer).await {
        safe.clear();
        sanitiser.feed(&buffer[..read], &mut safe);
        if !safe.is_empty() && to.write_all(&safe).await.is_err() {
            return;
        }
    }
}

/// Types what comes, to its end; then the board has its time to answer. Who only looks has nothing to type.
///
/// # Errors
/// Why it did not arrive.
async fn type_all(
    mut from: DuplexStream,
    calls: &Client,
    session: u64,
    read_only: Option<Error>,
) -> Result<(), Error> {
    let mut piece = vec![0; PIECE];
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        if let Some(why) = read_only {
            return Err(why);
        }
        calls.type_in(session, piece[..read].to_vec()).await?;
    }
    match read_only {
        None => sleep(LINGER).await,
        Some(_) => std::future::pending().await,
    }
    Ok(())
}

/// Why nothing more is shown.
async fn why_over(visitor: &Visitor, who: &Who, board: &BoardName, hold: Option<u64>) -> Error {
    let why = "it shows no more of its console; come again".to_owned();
    let closed = Error::Device { device: board.to_string(), why: format!("{board}: {why}") };
    let Some(hold) = hold else { return closed };
    let placed = visitor.door.lab.placed(who, hold, Span::default()).await;
    placed.err().unwrap_or(closed)
}
