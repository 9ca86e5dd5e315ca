//! A console that is followed, and followed again from the same byte when the connection breaks.

use std::io;
use std::time::Duration;

use protocol::Error;
use protocol::board::BoardName;
use protocol::client::{self, Client, Flow};
use protocol::console::{From, Pen, PenAsk, PenState};
use protocol::wire::Follow;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::sleep;

use crate::At;
use crate::exit::{self, Failure, TAKEN};

/// The first pause before a connection is made again, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// As much is typed with one call.
const PIECE: usize = 4 * 1024;

/// A followed console.
pub(super) struct Link {
    at: At,
    board: BoardName,
    pen: Pen,
    read: ReadHalf<Flow>,
    write: WriteHalf<Flow>,
    /// What paints the screen as it stood at the first byte, if that was asked for.
    pub(super) paint: Vec<u8>,
    /// The next byte to come.
    pub(super) offset: u64,
    /// Names this viewer in calls.
    pub(super) session: u64,
    /// Set if the pen was wanted and not to be had: why.
    pub(super) read_only: Option<Error>,
    /// Set by [`Link::must_type`].
    typist: Option<Typist>,
}

/// Types for those who must know that it arrives.
#[derive(Clone)]
pub(super) struct Typist {
    calls: Client,
    session: u64,
    board: BoardName,
}

impl Typist {
    /// Types. Returns when the board's device has taken all of it.
    ///
    /// # Errors
    /// Why it has not.
    pub(super) async fn type_in(&self, bytes: &[u8]) -> anyhow::Result<()> {
        for piece in bytes.chunks(PIECE) {
            let typed = self.calls.type_in(self.session, piece.to_vec()).await;
            typed.map_err(|error| self.advise(error))?;
        }
        Ok(())
    }

    fn advise(&self, error: Error) -> anyhow::Error {
        match &error {
            Error::Device { .. } => {
                let board = &self.board;
                let help = format!(
                    "wait until it is back with 'labctl wait {board} open'; see also 'labctl doctor'"
                );
                exit::with_help(error, help)
            }
            _ => error.into(),
        }
    }
}

/// What came of reading.
pub(super) enum Heard {
    /// So many bytes.
    Bytes(usize),
    /// The connection broke; [`Link::mend`] makes it again.
    Broken,
}

/// What came of an [exchange](Link::exchange).
pub(super) enum Exchanged {
    /// Something was read.
    Heard(Heard),
    /// So many bytes were typed.
    Typed(usize),
}

impl Link {
    /// Follows a console. Who may not type looks on.
    ///
    /// # Errors
    /// The lab's.
    pub(super) async fn open(
        at: &At,
        board: &BoardName,
        from: From,
        pen: Pen,
    ) -> Result<Link, Error> {
        let (mut flow, welcome, read_only) = match dial(at, board, from, pen).await {
            Err(
                why @ (Error::HeldBy { .. } | Error::NotHeld { .. } | Error::NotAllowed { .. }),
            ) if pen == Pen::Wanted => {
                let (flow, welcome) = dial(at, board, from, Pen::Unwanted).await?;
                (flow, welcome, Some(why))
            }
            other => {
                let (flow, welcome) = other?;
                (flow, welcome, None)
            }
        };
        let mut paint = Vec::new();
        let painted = (&mut flow).take(welcome.painted).read_to_end(&mut paint).await;
        painted.map_err(|error| Error::Unreachable {
            address: at.address().to_string(),
            why: error.to_string(),
        })?;
        let (read, write) = split(flow);
        let (offset, session) = (welcome.start, welcome.session);
        Ok(Link {
            at: at.clone(),
            board: board.clone(),
            pen,
            read,
            write,
            paint,
            offset,
            session,
            read_only,
            typist: None,
        })
    }

    /// Whether what is typed reaches the board. If not, the viewer stands in line for the pen.
    ///
    /// # Errors
    /// The lab's.
    pub(super) async fn has_pen(&self, calls: &Client) -> Result<bool, Error> {
        Ok(calls.pen(self.session, PenAsk::Take).await? == PenState::Yours)
    }

    /// For those who must not type into nothing: what is typed reaches the board.
    ///
    /// # Errors
    /// Why it would not: the hold is another's, or over, or somebody else has the pen.
    pub(super) async fn must_type(&mut self) -> anyhow::Result<()> {
        if let Some(why) = self.read_only.take() {
            return Err(why.into());
        }
        if self.pen == Pen::Unwanted {
            return Ok(());
        }
        let calls = self.at.connect().await?;
        if !self.has_pen(&calls).await? {
            let board = &self.board;
            return Err(Failure {
                what: format!("somebody else types on the console of {board}"),
                code: TAKEN,
                help: Some(exit::no_pen(board)),
            }
            .into());
        }
        let (session, board) = (self.session, self.board.clone());
        self.typist = Some(Typist { calls, session, board });
        Ok(())
    }

    /// Who types here, if it [must](Link::must_type).
    pub(super) fn typist(&self) -> Option<Typist> {
        self.typist.clone()
    }

    /// Reads what there is.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Heard {
        count(&mut self.offset, self.read.read(buffer).await)
    }

    /// Types. Returns when the board's device has taken all of it.
    ///
    /// # Errors
    /// Why it has not.
    pub(super) async fn type_in(&self, bytes: &[u8]) -> anyhow::Result<()> {
        match &self.typist {
            Some(typist) => typist.type_in(bytes).await,
            None => Err(Error::NoPen { board: self.board.clone(), of: None }.into()),
        }
    }

    /// Reads what there is, and types as many of `keys` as there is room for meanwhile, whichever comes
    /// first; nothing is lost if nobody waits for it.
    pub(super) async fn exchange(&mut self, buffer: &mut [u8], keys: &[u8]) -> Exchanged {
        tokio::select! {
            read = self.read.read(buffer) => Exchanged::Heard(count(&mut self.offset, read)),
            // A connection that breaks meanwhile shows when it is read.
            Ok(typed @ 1..) = self.write.write(keys), if !keys.is_empty() => Exchanged::Typed(typed),
        }
    }

    /// Types what there is room for, and waits for nothing.
    pub(super) async fn type_at_once(&mut self, keys: &[u8]) {
        tokio::select! {
            biased;
            _ = self.write.write_all(keys) => {}
            () = std::future::ready(()) => {}
        }
    }

    /// Makes the connection again, from the same byte. Returns how many bytes are lost because they
    /// are no longer kept.
    ///
    /// # Errors
    /// The lab's, if it answers and refuses: the board is gone.
    pub(super) async fn mend(&mut self) -> Result<u64, Error> {
        let link = self.again().await?;
        Ok(self.replace(link))
    }

    /// The same connection made again, as soon as the lab answers; [`Link::replace`] takes it.
    ///
    /// # Errors
    /// As [`Link::mend`].
    pub(super) fn again(&self) -> impl Future<Output = Result<Link, Error>> + use<> {
        let (at, board, pen) = (self.at.clone(), self.board.clone(), self.pen);
        let from = From::Offset { offset: self.offset };
        async move {
            let mut pause = PAUSE.0;
            loop {
                match Link::open(&at, &board, from, pen).await {
                    Err(Error::Unreachable { .. } | Error::TooOld { .. }) => {
                        sleep(pause).await;
                        pause = (pause * 2).min(PAUSE.1);
                    }
                    opened => return opened,
                }
            }
        }
    }

    /// Goes on with another connection. Returns how many bytes are lost in between.
    pub(super) fn replace(&mut self, link: Link) -> u64 {
        let lost = link.offset.saturating_sub(self.offset);
        *self = link;
        lost
    }
}

fn count(offset: &mut u64, read: io::Result<usize>) -> Heard {
    match read {
        Ok(read @ 1..) => {
            *offset += read as u64;
            Heard::Bytes(read)
        }
        _ => Heard::Broken,
    }
}

async fn dial(
    at: &At,
    board: &BoardName,
    from: From,
    pen: Pen,
) -> Result<(Flow, protocol::wire::Welcome), Error> {
    let what = Follow::Console { board: board.clone(), from, pen, stop_at_end: false };
    client::follow(&at.address(), what).await
}
