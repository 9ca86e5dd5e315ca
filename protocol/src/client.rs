//! The client: connect, call, follow.

use std::time::{Duration, Instant};

use tarpc::client::{Config, RpcError};
use tarpc::context::{self, Context};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite};

use crate::account::{
    Account, AccountAsk, Enrolled, Key, Login, May, MayAsk, NewToken, Token, TokenAsk,
};
use crate::address::Address;
use crate::board::{Board, BoardDetail, BoardName, Class, Filter};
use crate::console::{PenAsk, PenState};
use crate::dial::dial;
pub use crate::dial::{Flow, Stream};
use crate::error::Error;
use crate::hold::{Ask, Hold, Place, Placed, Release};
use crate::power::{PowerAsk, PowerDetail};
use crate::service::{LabClient, LabRequest};
use crate::time::Span;
use crate::user::{UserName, Who};
use crate::wire::{self, Follow, Purpose, Welcome};

/// How long an ordinary call may take: a power cycle behind a slow switch, a setup script.
const PATIENCE: Span = Span::minutes(10);

/// A connection that calls are made on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    calls: LabClient,
    address: Address,
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
                /// What labd said, or [`Error::Unreachable`] or [`Error::TimedOut`] if it said nothing.
                pub async fn $name(&self $(, $arg: $type)*) -> Result<$answer, Error> {
                    let (context, patience) = within(PATIENCE);
                    self.heard(patience, self.calls.$name(context $(, $arg)*).await)
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
    Pen = pen(session: u64, ask: PenAsk) -> PenState;
    TypeIn = type_in(session: u64, bytes: Vec<u8>) -> ();
    SendBreak = send_break(session: u64, span: Span) -> ();
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

impl Client {
    /// Connects for calls.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if no daemon is there, else what it said.
    pub async fn connect(address: &Address) -> Result<Client, Error> {
        let (stream, _) = dial(address, &Purpose::Call).await?;
        let lab = Client::over(stream, address.clone());
        crate::login::renew(&lab).await;
        Ok(lab)
    }

    /// Calls over a stream whose first line is already answered.
    pub fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        address: Address,
    ) -> Client {
        let calls = LabClient::new(Config::default(), wire::frames(stream)).spawn();
        Client { calls, address }
    }

    /// Where this client is connected to.
    pub fn address(&self) -> &Address {
        &self.address
    }

    fn heard<T>(
        &self,
        patience: Span,
        answer: Result<Result<T, Error>, RpcError>,
    ) -> Result<T, Error> {
        let unreachable =
            |why: String| Error::Unreachable { address: self.address.to_string(), why };
        match answer {
            Ok(answer) => answer,
            Err(RpcError::DeadlineExceeded) => Err(Error::TimedOut { seconds: patience.0 / 1_000 }),
            Err(RpcError::Shutdown) => Err(unreachable("it closed the connection".to_owned())),
            // A call that is larger than this caller's may be.
            Err(RpcError::Server(why)) if why.kind == std::io::ErrorKind::InvalidInput => {
                Err(Error::Bad { why: why.detail })
            }
            // Said without asking the lab: too many calls at once, or too large an answer.
            Err(RpcError::Server(why)) => {
                Err(Error::Device { device: "labd".to_owned(), why: why.detail })
            }
            Err(other) => Err(unreachable(other.to_string())),
        }
    }
}

/// A context that gives up after `patience`: tarpc's own is ten seconds, too short for a slow switch.
fn within(patience: Span) -> (Context, Span) {
    let mut context = context::current();
    context.deadline = Instant::now() + Duration::from_millis(patience.0);
    (context, patience)
}
