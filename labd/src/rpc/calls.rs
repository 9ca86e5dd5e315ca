//! Every call, handed on to the lab with who is calling.

use std::sync::Arc;

use protocol::board::{Board, BoardDetail, BoardName, Class, Filter};
use protocol::console::{PenAsk, PenState};
use protocol::hold::{Ask, Hold, Place, Placed, Release};
use protocol::power::{PowerAsk, PowerDetail};
use protocol::service;
use protocol::user::{UserName, Who};
use protocol::{Error, Span, limits};
use tarpc::context::Context;

use super::identity;
use crate::lab::Lab;
use crate::rules::access::{self, Verb};

/// Somebody on a connection for calls.
#[derive(Clone)]
pub struct Caller {
    /// The lab they ask.
    pub lab: Arc<Lab>,
    /// Who they are.
    pub who: Who,
}

impl Caller {
    /// The lab, for somebody who may look at it.
    fn seen(&self) -> Result<&Arc<Lab>, Error> {
        access::may(&self.who, Verb::See).map(|()| &self.lab)
    }
}

impl service::Lab for Caller {
    async fn whoami(self, _: Context) -> Result<Who, Error> {
        Ok(self.who)
    }

    async fn boards(self, _: Context, filter: Filter) -> Result<Vec<Board>, Error> {
        filter.want.as_ref().map_or(Ok(()), limits::want)?;
        let lab = self.seen()?;
        lab.told(|| Ok(lab.rows(&self.who, &filter))).await
    }

    async fn board(self, _: Context, name: BoardName) -> Result<BoardDetail, Error> {
        let lab = self.seen()?;
        lab.told(|| lab.detail(&name)).await
    }

    async fn classes(self, _: Context) -> Result<Vec<Class>, Error> {
        let lab = self.seen()?;
        lab.told(|| Ok(lab.classes())).await
    }

    async fn holds(self, _: Context) -> Result<Vec<Hold>, Error> {
        let lab = self.seen()?;
        lab.told(|| Ok(lab.holds())).await
    }

    async fn queue(self, _: Context) -> Result<Vec<Place>, Error> {
        let lab = self.seen()?;
        lab.told(|| Ok(lab.queue())).await
    }

    async fn reserve(self, _: Context, ask: Ask) -> Result<Placed, Error> {
        limits::ask(&ask)?;
        self.lab.reserve(&self.who, ask).await
    }

    async fn placed(self, _: Context, number: u64, patience: Span) -> Result<Placed, Error> {
        self.lab.placed(&self.who, number, patience).await
    }

    async fn unqueue(self, _: Context, number: u64) -> Result<(), Error> {
        self.lab.unqueue(&self.who, number).await
    }

    async fn release(self, _: Context, board: BoardName, release: Release) -> Result<Hold, Error> {
        release.breaking.as_deref().map_or(Ok(()), limits::reason)?;
        self.lab.release(&self.who, &board, release).await
    }

    async fn extend(self, _: Context, board: BoardName, span: Span) -> Result<Hold, Error> {
        self.lab.extend(&self.who, &board, span).await
    }

    async fn give(self, _: Context, board: BoardName, to: UserName) -> Result<Hold, Error> {
        let known = identity::of_name(to.clone(), self.lab.config()).await?;
        access::may(&known, Verb::Hold)?;
        self.lab.give(&self.who, &board, &to).await
    }

    async fn power(
        self,
        _: Context,
        board: BoardName,
        ask: PowerAsk,
    ) -> Result<PowerDetail, Error> {
        self.lab.power(&self.who, &board, ask).await
    }

    async fn outlet(self, _: Context, board: BoardName) -> Result<PowerDetail, Error> {
        self.lab.outlet(&self.who, &board).await
    }

    async fn pen(self, _: Context, session: u64, ask: PenAsk) -> Result<PenState, Error> {
        if let PenAsk::Force { reason } = &ask {
            limits::reason(reason)?;
        }
        self.lab.pen(&self.who, session, ask)
    }

    async fn type_in(self, _: Context, session: u64, bytes: Vec<u8>) -> Result<(), Error> {
        self.lab.type_in(&self.who, session, bytes).await
    }

    async fn send_break(self, _: Context, session: u64, span: Span) -> Result<(), Error> {
        self.lab.send_break(&self.who, session, span).await
    }

    async fn note(self, _: Context, board: BoardName, text: String) -> Result<(), Error> {
        limits::remark(&text)?;
        self.lab.note_down(&self.who, &board, text).await
    }

    async fn reload(self, _: Context) -> Result<Vec<String>, Error> {
        self.lab.reload(&self.who).await
    }

    async fn doctor(self, _: Context) -> Result<Vec<String>, Error> {
        self.lab.doctor(&self.who)
    }

    async fn verify(self, _: Context) -> Result<Vec<String>, Error> {
        self.lab.verify(&self.who).await
    }

    async fn rebuild(self, _: Context) -> Result<Vec<String>, Error> {
        self.lab.rebuild(&self.who).await
    }

    async fn import(self, _: Context, lines: Vec<String>) -> Result<Vec<String>, Error> {
        self.lab.import(&self.who, &lines).await
    }
}
