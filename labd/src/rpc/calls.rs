//! Every call, handed on to the lab with who is calling.

use std::sync::Arc;

use protocol::account::{
    Account, AccountAsk, Enrolled, Key, Login, May, MayAsk, NewToken, Token, TokenAsk,
};
use protocol::address::Address;
use protocol::board::{Board, BoardDetail, BoardName, Class, Filter};
use protocol::boot::Boots;
use protocol::console::{PenAsk, PenState, Signal};
use protocol::hold::{Ask, Hold, Place, Placed, Release};
use protocol::power::{PowerAsk, PowerDetail};
use protocol::service;
use protocol::trigger::Trigger;
use protocol::user::{UserName, Verb, Who};
use protocol::{Error, Span, Time, limits};
use tarpc::context::Context;

use super::identity;
use crate::lab::Lab;
use crate::lab::people::Peer;

/// Somebody on a connection for calls.
#[derive(Clone)]
pub struct Caller {
    /// The lab they ask.
    pub lab: Arc<Lab>,
    /// Who they are, as the door knows it.
    pub peer: Peer,
}

impl Caller {
    /// Who they are at this moment.
    fn who(&self) -> Result<Who, Error> {
        self.lab.who(&self.peer)
    }

    /// Somebody else, as if they came by themselves; the caller, if nobody else is named. Who may not
    /// `verb` is not told who is known.
    async fn other(&self, who: &Who, name: Option<UserName>, verb: Verb) -> Result<Who, Error> {
        match name.filter(|name| *name != who.name) {
            Some(name) => {
                self.lab.allow(who, verb)?;
                self.lab.who(&identity::of_name(name, &self.lab).await?)
            }
            None => Ok(who.clone()),
        }
    }
}

impl service::Lab for Caller {
    async fn whoami(self, _: Context) -> Result<Who, Error> {
        self.who()
    }

    async fn boards(self, _: Context, filter: Filter) -> Result<Vec<Board>, Error> {
        filter.want.as_ref().map_or(Ok(()), limits::want)?;
        let who = self.who()?;
        self.lab.told(|| Ok(self.lab.rows(&who, &filter))).await
    }

    async fn board(self, _: Context, name: BoardName) -> Result<BoardDetail, Error> {
        let who = self.who()?;
        self.lab.told(|| self.lab.detail(&who, &name)).await
    }

    async fn classes(self, _: Context) -> Result<Vec<Class>, Error> {
        let who = self.who()?;
        self.lab.told(|| Ok(self.lab.classes(&who))).await
    }

    async fn holds(self, _: Context) -> Result<Vec<Hold>, Error> {
        let who = self.who()?;
        self.lab.told(|| Ok(self.lab.holds(&who))).await
    }

    async fn queue(self, _: Context) -> Result<Vec<Place>, Error> {
        let who = self.who()?;
        self.lab.told(|| Ok(self.lab.queue(&who))).await
    }

    async fn reserve(self, _: Context, ask: Ask) -> Result<Placed, Error> {
        limits::ask(&ask)?;
        self.lab.reserve(&self.who()?, ask).await
    }

    async fn placed(self, _: Context, number: u64, patience: Span) -> Result<Placed, Error> {
        self.lab.placed(&self.who()?, number, patience).await
    }

    async fn unqueue(self, _: Context, number: u64) -> Result<(), Error> {
        self.lab.unqueue(&self.who()?, number).await
    }

    async fn release(self, _: Context, board: BoardName, release: Release) -> Result<Hold, Error> {
        release.breaking.as_deref().map_or(Ok(()), limits::reason)?;
        self.lab.release(&self.who()?, &board, release).await
    }

    async fn extend(self, _: Context, board: BoardName, span: Span) -> Result<Hold, Error> {
        self.lab.extend(&self.who()?, &board, span).await
    }

    async fn give(self, _: Context, board: BoardName, to: UserName) -> Result<Hold, Error> {
        let who = self.who()?;
        let to = self.other(&who, Some(to), Verb::Share).await?;
        self.lab.give(&who, &board, &to).await
    }

    async fn power(
        self,
        _: Context,
        board: BoardName,
        ask: PowerAsk,
    ) -> Result<PowerDetail, Error> {
        self.lab.power(&self.who()?, &board, ask).await
    }

    async fn outlet(self, _: Context, board: BoardName) -> Result<PowerDetail, Error> {
        self.lab.outlet(&self.who()?, &board).await
    }

    async fn boots(
        self,
        _: Context,
        board: BoardName,
        since: Option<Time>,
    ) -> Result<Boots, Error> {
        self.lab.boots(&self.who()?, &board, since).await
    }

    async fn triggers(self, _: Context) -> Result<Vec<Trigger>, Error> {
        Ok(self.lab.triggers(&self.who()?))
    }

    async fn pen(self, _: Context, session: u64, ask: PenAsk) -> Result<PenState, Error> {
        if let PenAsk::Force { reason } = &ask {
            limits::reason(reason)?;
        }
        self.lab.pen(&self.who()?, session, ask)
    }

    async fn type_in(self, _: Context, session: u64, bytes: Vec<u8>) -> Result<(), Error> {
        self.lab.type_in(&self.who()?, session, bytes).await
    }

    async fn send_break(self, _: Context, session: u64, span: Span) -> Result<(), Error> {
        self.lab.send_break(&self.who()?, session, span).await
    }

    async fn signal(self, _: Context, board: BoardName, signal: Signal) -> Result<(), Error> {
        self.lab.signal(&self.who()?, &board, &signal).await
    }

    async fn note(self, _: Context, board: BoardName, text: String) -> Result<(), Error> {
        limits::remark(&text)?;
        self.lab.note_down(&self.who()?, &board, text).await
    }

    async fn reload(self, _: Context) -> Result<Vec<String>, Error> {
        self.lab.reload(&self.who()?).await
    }

    async fn doctor(self, _: Context) -> Result<Vec<String>, Error> {
        self.lab.doctor(&self.who()?)
    }

    async fn verify(self, _: Context) -> Result<Vec<String>, Error> {
        self.lab.verify(&self.who()?).await
    }

    async fn rebuild(self, _: Context) -> Result<Vec<String>, Error> {
        self.lab.rebuild(&self.who()?).await
    }

    async fn may(self, _: Context, ask: MayAsk) -> Result<May, Error> {
        let who = self.who()?;
        let about = self.other(&who, ask.who.clone(), Verb::Moderate).await?;
        self.lab.may(&who, &about, &ask)
    }

    async fn accounts(self, _: Context) -> Result<Vec<Account>, Error> {
        Ok(self.lab.accounts(&self.who()?))
    }

    async fn change_account(
        self,
        _: Context,
        name: UserName,
        ask: AccountAsk,
    ) -> Result<Option<Account>, Error> {
        self.lab.change_account(&self.who()?, &name, &ask).await
    }

    async fn tokens(self, _: Context) -> Result<Vec<Token>, Error> {
        Ok(self.lab.tokens(&self.who()?))
    }

    async fn make_token(self, _: Context, ask: TokenAsk) -> Result<NewToken, Error> {
        let who = self.who()?;
        let owner = self.other(&who, ask.who.clone(), Verb::Administer).await?;
        self.lab.make_token(&who, &owner, ask).await
    }

    async fn revoke_token(self, _: Context, id: String) -> Result<Token, Error> {
        self.lab.revoke_token(&self.peer, &id).await
    }

    async fn enrol(self, _: Context, key: String) -> Result<Enrolled, Error> {
        self.lab.enrol(&self.peer, &key).await
    }

    async fn logins(self, _: Context) -> Result<Vec<Login>, Error> {
        Ok(self.lab.logins(&self.who()?))
    }

    async fn log_out(self, _: Context, id: String) -> Result<Login, Error> {
        self.lab.log_out(&self.who()?, &id).await
    }

    async fn found_at(self, _: Context) -> Result<Address, Error> {
        self.lab.found_at(&self.who()?)
    }

    async fn keys(self, _: Context) -> Result<Vec<Key>, Error> {
        Ok(self.lab.keys(&self.who()?))
    }

    async fn add_key(self, _: Context, who: Option<UserName>, line: String) -> Result<Key, Error> {
        let caller = self.who()?;
        let owner = self.other(&caller, who, Verb::Administer).await?;
        self.lab.add_key(&caller, &owner, &line).await
    }

    async fn remove_key(self, _: Context, fingerprint: String) -> Result<Key, Error> {
        self.lab.remove_key(&self.who()?, &fingerprint).await
    }

    async fn import(self, _: Context, lines: Vec<String>) -> Result<Vec<String>, Error> {
        self.lab.import(&self.who()?, &lines).await
    }
}
