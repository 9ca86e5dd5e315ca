//! The client: connect, call, follow.

use std::sync::Arc;

use schemars::{Schema, SchemaGenerator};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use crate::account::{
    Account, AccountAsk, Enrolled, Key, Login, May, MayAsk, NewToken, Token, TokenAsk,
};
use crate::address::Address;
use crate::board::{Board, BoardDetail, BoardName, Class, Filter};
use crate::boot::Boots;
use crate::console::{PenAsk, PenState, Signal};
use crate::context::Context;
use crate::dial::dial;
pub use crate::dial::{Flow, Stream};
use crate::error::Error;
use crate::hold::{Ask, Hold, Place, Placed, Release};
use crate::link::{Errand, Link};
use crate::login;
use crate::power::{PowerAsk, PowerDetail};
use crate::service::{LabRequest, LabResponse};
use crate::time::{Span, Time};
use crate::trigger::Trigger;
use crate::user::{UserName, Who};
use crate::wire::{Follow, Purpose, Welcome};

/// A connection that calls are made on. Cheap to clone.
///
/// If it breaks, it is made again, and what was not answered is asked again: nothing is done twice because
/// of that. Where nobody can know whether something was done, the answer is [`Error::Unsure`].
#[derive(Debug, Clone)]
pub struct Client {
    link: Arc<Link>,
    /// Keeps the login with which it came good; ends with the last clone.
    _renewal: Option<Arc<JoinSet<()>>>,
}

/// Follows something on a connection of its own.
///
/// # Errors
/// [`Error::Unreachable`] if no daemon is there, else what it said.
pub async fn follow(address: &Address, follow: Follow) -> Result<(Flow, Welcome), Error> {
    dial(address, &Purpose::Follow(follow)).await
}

/// The next line of a journal, a board table or an export; none at its end.
///
/// # Errors
/// [`Error::Unreachable`] if the connection broke.
pub async fn next_line(flow: &mut Flow) -> Result<Option<String>, Error> {
    let broke = |error: std::io::Error| Error::Unreachable {
        address: "the connection".to_owned(),
        why: error.to_string(),
    };
    let mut line = String::new();
    let read = flow.read_line(&mut line).await.map_err(broke)?;
    let whole = read > 0 && line.ends_with('\n');
    line.truncate(line.trim_end_matches('\n').len());
    Ok(whole.then_some(line))
}

macro_rules! calls {
    ($($call:ident = $name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {
        impl Client {
            $(
                #[doc = concat!("See [`crate::service::Lab::", stringify!($name), "`].")]
                ///
                /// # Errors
                /// What labd said; [`Error::Unreachable`], [`Error::TimedOut`] or [`Error::Unsure`] if it
                /// said nothing.
                pub async fn $name(&self $(, $arg: $type)*) -> Result<$answer, Error> {
                    let mut errand = Errand::new(Call::$call);
                    loop {
                        let (calls, context) = self.link.ready(&mut errand).await?;
                        let answer = calls.$name(context $(, Clone::clone(&$arg))*).await;
                        if let Some(answer) = self.link.heard(&mut errand, answer) {
                            return answer;
                        }
                    }
                }
            )*
        }

        /// Every call there is: for tables that must have a row for each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Call {
            $(#[doc = concat!("[`crate::service::Lab::", stringify!($name), "`]")] $call,)*
        }

        impl Call {
            /// All of them, in the order of the service.
            pub const ALL: &[Call] = &[$(Call::$call),*];

            /// As the method is called.
            pub fn name(self) -> &'static str {
                match self {
                    $(Call::$call => stringify!($name),)*
                }
            }

            /// What it takes, by name, and what it answers, as JSON schemas.
            pub fn schemas(self, of: &mut SchemaGenerator) -> (Vec<(&'static str, Schema)>, Schema) {
                match self {
                    $(Call::$call => {
                        let takes = vec![$((stringify!($arg), of.subschema_for::<$type>())),*];
                        (takes, of.subschema_for::<$answer>())
                    })*
                }
            }

            /// Whether an answer says that it was done.
            pub fn is_done(answer: &LabResponse) -> bool {
                match answer {
                    $(LabResponse::$call(answer) => answer.is_ok(),)*
                }
            }

            /// An answer as JSON.
            ///
            /// # Errors
            /// What the lab said instead.
            pub fn json(answer: &LabResponse) -> Result<serde_json::Result<Vec<u8>>, Error> {
                match answer {
                    $(LabResponse::$call(answer) => match answer {
                        Ok(answer) => Ok(serde_json::to_vec(answer)),
                        Err(why) => Err(why.clone()),
                    },)*
                }
            }
        }

        /// A call of the service that has no line here does not compile.
        impl From<&LabRequest> for Call {
            fn from(request: &LabRequest) -> Call {
                match request {
                    $(LabRequest::$call { .. } => Call::$call,)*
                }
            }
        }
    };
}

calls! {
    Whoami = whoami() -> Who;
    Boards = boards(filter: Filter) -> Vec<Board>;
    Board = board(name: BoardName) -> BoardDetail;
    Classes = classes() -> Vec<Class>;
    Holds = holds() -> Vec<Hold>;
    Queue = queue() -> Vec<Place>;
    Reserve = reserve(ask: Ask) -> Placed;
    Placed = placed(number: u64, patience: Span) -> Placed;
    Unqueue = unqueue(number: u64) -> ();
    Release = release(board: BoardName, release: Release) -> Hold;
    Extend = extend(board: BoardName, span: Span) -> Hold;
    Give = give(board: BoardName, to: UserName) -> Hold;
    Power = power(board: BoardName, ask: PowerAsk) -> PowerDetail;
    Outlet = outlet(board: BoardName) -> PowerDetail;
    Boots = boots(board: BoardName, since: Option<Time>) -> Boots;
    Triggers = triggers() -> Vec<Trigger>;
    Pen = pen(session: u64, ask: PenAsk) -> PenState;
    TypeIn = type_in(session: u64, bytes: Vec<u8>) -> ();
    SendBreak = send_break(session: u64, span: Span) -> ();
    Signal = signal(board: BoardName, signal: Signal) -> ();
    Note = note(board: BoardName, text: String) -> ();
    May = may(ask: MayAsk) -> May;
    Accounts = accounts() -> Vec<Account>;
    ChangeAccount = change_account(name: UserName, ask: AccountAsk) -> Option<Account>;
    Tokens = tokens() -> Vec<Token>;
    MakeToken = make_token(ask: TokenAsk) -> NewToken;
    RevokeToken = revoke_token(id: String) -> Token;
    Keys = keys() -> Vec<Key>;
    AddKey = add_key(who: Option<UserName>, line: String) -> Key;
    RemoveKey = remove_key(fingerprint: String) -> Key;
    Enrol = enrol(key: String) -> Enrolled;
    Logins = logins() -> Vec<Login>;
    LogOut = log_out(id: String) -> Login;
    FoundAt = found_at() -> Address;
    Reload = reload() -> Vec<String>;
    Doctor = doctor() -> Vec<String>;
    Verify = verify() -> Vec<String>;
    Rebuild = rebuild() -> Vec<String>;
    Import = import(lines: Vec<String>) -> Vec<String>;
}

impl Call {
    /// What it does, as the service says it.
    pub fn about(self) -> String {
        const SERVICE: &str = include_str!("service.rs");
        let signature = format!("    async fn {}(", self.name());
        let above = SERVICE.split(&signature).next().unwrap_or_default();
        let lines = above.lines().rev().map_while(|line| line.strip_prefix("    /// "));
        let mut lines: Vec<_> = lines.collect();
        lines.reverse();
        lines.join(" ")
    }

    /// Whether it changes anything. If so, it must not be done again because it is asked again.
    pub fn changes(self) -> bool {
        match self {
            Call::Whoami
            | Call::Boards
            | Call::Board
            | Call::Classes
            | Call::Holds
            | Call::Queue
            | Call::Placed
            | Call::Outlet
            | Call::Boots
            | Call::Triggers
            | Call::May
            | Call::Accounts
            | Call::Tokens
            | Call::Keys
            | Call::Logins
            | Call::FoundAt
            | Call::Doctor
            | Call::Verify => false,
            Call::Reserve
            | Call::Unqueue
            | Call::Release
            | Call::Extend
            | Call::Give
            | Call::Power
            | Call::Pen
            | Call::TypeIn
            | Call::SendBreak
            | Call::Signal
            | Call::Note
            | Call::ChangeAccount
            | Call::MakeToken
            | Call::RevokeToken
            | Call::AddKey
            | Call::RemoveKey
            | Call::Enrol
            | Call::LogOut
            | Call::Reload
            | Call::Rebuild
            | Call::Import => true,
        }
    }
}

impl Client {
    /// Connects for calls. A login is renewed for as long as the client is there.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if no daemon is there, else what it said.
    pub async fn connect(address: &Address) -> Result<Client, Error> {
        let lab = Client::on(Link::connect(address, None).await?);
        if address.elsewhere().is_none() {
            return Ok(lab);
        }
        // Before anything else: most are gone in a moment.
        let next = login::renew(&lab).await;
        let renewal = JoinSet::from_iter([login::stay(lab.clone(), next)]);
        Ok(Client { _renewal: Some(Arc::new(renewal)), ..lab })
    }

    /// The same, as somebody whom the lab at `address` knows.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn connect_as(address: &Address, known: Context) -> Result<Client, Error> {
        Link::connect(address, Some(known)).await.map(Client::on)
    }

    /// Calls over a stream whose first line is already answered. When it breaks, that was it.
    pub fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        address: Address,
    ) -> Client {
        Client::on(Link::over(stream, address))
    }

    fn on(link: Link) -> Client {
        Client { link: Arc::new(link), _renewal: None }
    }

    /// Where this client is connected to.
    pub fn address(&self) -> &Address {
        self.link.address()
    }
}

#[cfg(test)]
mod tests {
    use super::Call;

    #[test]
    fn every_call_says_what_it_does() {
        for call in Call::ALL {
            let about = call.about();
            assert!(about.len() > 8 && about.ends_with('.'), "{call:?}: {about}");
        }
        assert!(Call::Note.about().starts_with("Writes something down"), "{}", Call::Note.about());
    }
}
