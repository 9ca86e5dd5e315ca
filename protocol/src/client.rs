//! The client: connect, call, follow.

use std::time::{Duration, Instant};

use tarpc::client::{Config, RpcError};
use tarpc::context::{self, Context};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::address::Address;
use crate::board::{Board, BoardDetail, BoardName, Class, Filter};
use crate::console::{PenAsk, PenState};
use crate::error::Error;
use crate::hold::{Ask, Hold, Place, Placed, Release};
use crate::power::{PowerAsk, PowerDetail};
use crate::service::LabClient;
use crate::time::Span;
use crate::user::{UserName, Who};
use crate::wire::{self, Follow, Purpose, Welcome};

/// How long an ordinary call may take: a power cycle behind a slow switch, a setup script.
const PATIENCE: Span = Span::minutes(10);

/// A daemon that lives answers the first line within this time, also with a long history to look through.
const FIRST_ANSWER: Duration = Duration::from_secs(30);

/// A connection that calls are made on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    calls: LabClient,
    address: Address,
}

/// A connection that something flows on.
pub type Flow = BufReader<UnixStream>;

/// Connects and asks for `purpose`.
async fn dial(address: &Address, purpose: &Purpose) -> Result<(Flow, Welcome), Error> {
    let Address::Unix(path) = address;
    let unreachable = |error: std::io::Error| Error::Unreachable {
        address: address.to_string(),
        why: error.to_string(),
    };
    let stream = UnixStream::connect(path).await.map_err(unreachable)?;
    let mut stream = BufReader::with_capacity(64 * 1024, stream);
    let greet = async {
        wire::ask(&mut stream, purpose).await.map_err(unreachable)?;
        wire::answer(&mut stream).await
    };
    let silent = || Error::Unreachable {
        address: address.to_string(),
        why: format!("it said nothing within {} s", FIRST_ANSWER.as_secs()),
    };
    let welcome = timeout(FIRST_ANSWER, greet).await.map_err(|_| silent())??;
    Ok((stream, welcome))
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
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {
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
    };
}

calls! {
    whoami() -> Who;
    boards(filter: Filter) -> Vec<Board>;
    board(name: BoardName) -> BoardDetail;
    classes() -> Vec<Class>;
    holds() -> Vec<Hold>;
    queue() -> Vec<Place>;
    reserve(ask: Ask) -> Placed;
    placed(number: u64, patience: Span) -> Placed;
    unqueue(number: u64) -> ();
    release(board: BoardName, release: Release) -> Hold;
    extend(board: BoardName, span: Span) -> Hold;
    give(board: BoardName, to: UserName) -> Hold;
    power(board: BoardName, ask: PowerAsk) -> PowerDetail;
    outlet(board: BoardName) -> PowerDetail;
    pen(session: u64, ask: PenAsk) -> PenState;
    type_in(session: u64, bytes: Vec<u8>) -> ();
    send_break(session: u64, span: Span) -> ();
    note(board: BoardName, text: String) -> ();
    reload() -> Vec<String>;
    doctor() -> Vec<String>;
    verify() -> Vec<String>;
    rebuild() -> Vec<String>;
    import(lines: Vec<String>) -> Vec<String>;
}

impl Client {
    /// Connects for calls.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if no daemon is there, else what it said.
    pub async fn connect(address: &Address) -> Result<Client, Error> {
        let (stream, _) = dial(address, &Purpose::Call).await?;
        Ok(Client::over(stream, address.clone()))
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
