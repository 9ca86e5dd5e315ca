//! The connection that calls are made on. It is made again when it breaks, and what was not answered is
//! asked again.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use tarpc::ServerError;
use tarpc::client::{Config, NewClient, RpcError};
use tarpc::context::{self, Context};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout_at};

use crate::address::Address;
use crate::client::Call;
use crate::context::Context as Known;
use crate::dial::{dial, dial_known};
use crate::error::Error;
use crate::request::RequestId;
use crate::service::LabClient;
use crate::time::Span;
use crate::wire::{self, FORGOTTEN, Purpose};

/// How long an ordinary call may take: a power cycle behind a slow switch, a setup script.
const PATIENCE: Span = Span::minutes(10);
/// So long it is tried to make a connection again: a daemon that is restarted, a router that is.
const TRYING: Duration = Duration::from_secs(30);
/// The first pause before it is tried again, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(3));

/// The connection, and how it is made again.
#[derive(Debug)]
pub(crate) struct Link {
    address: Address,
    way: Way,
    present: Mutex<Connection>,
}

/// How a connection is made again.
#[derive(Debug)]
enum Way {
    /// Not at all: somebody else made it.
    None,
    /// With what is known of the lab here by then: a login may have been renewed meanwhile.
    Usual,
    /// As somebody in particular.
    As(Box<Known>),
}

#[derive(Debug)]
struct Connection {
    calls: LabClient,
    /// Ends with the connection.
    carrier: JoinHandle<()>,
    /// Which run of the daemon is at the other end, if it says so.
    run: Option<u64>,
    /// Counts them.
    number: u64,
    since: Instant,
}

impl Connection {
    fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Connection {
        let NewClient { client, dispatch } =
            LabClient::new(Config::default(), wire::frames(stream));
        // How it ended is told to each call that was on the way.
        let carrier = tokio::spawn(async { drop(dispatch.await) });
        Connection { calls: client, carrier, run: None, number: 0, since: Instant::now() }
    }
}

/// One call, from when it is made until it is answered, on as many connections as that takes.
#[derive(Debug)]
pub(crate) struct Errand {
    call: Call,
    /// None if the system has no chance to give: then it is asked once.
    id: Option<RequestId>,
    deadline: Instant,
    /// When it was asked first, and of which run of the daemon.
    first: Option<(Duration, Option<u64>)>,
    /// The connection on which it was asked last: its number, and since when it was there.
    on: (u64, Instant),
    trouble: Option<Trouble>,
}

/// A connection broke before the call was answered.
#[derive(Debug)]
struct Trouble {
    since: Instant,
    /// The connection that is of no use.
    with: u64,
    pause: Duration,
}

impl Errand {
    pub(crate) fn new(call: Call) -> Errand {
        let now = Instant::now();
        let deadline = now + PATIENCE.duration();
        Errand { call, id: RequestId::new(), deadline, first: None, on: (0, now), trouble: None }
    }

    /// What is sent with the call, which counts as asked of that run of the daemon from now on.
    ///
    /// # Errors
    /// [`Error::Unsure`]: it changes something, and that run cannot know whether it was done.
    fn context(&mut self, run: Option<u64>) -> Result<Context, Error> {
        let mut context = context::current();
        context.deadline = self.deadline;
        if let Some((_, of)) = self.first
            && self.call.changes()
            && (self.id.is_none() || run.is_none() || of != run)
        {
            let why = "labd was restarted before it had answered".to_owned();
            return Err(Error::Unsure { why });
        }
        let now = steady();
        if let Some(id) = self.id {
            id.put(&mut context, self.first.map(|(first, _)| now.saturating_sub(first)));
        }
        self.first.get_or_insert((now, run));
        Ok(context)
    }

    /// The connection broke. If that one had lasted, it is a trouble of its own.
    fn broke(&mut self) {
        let (with, born) = self.on;
        match &mut self.trouble {
            Some(trouble) if born.elapsed() < TRYING => trouble.with = with,
            trouble => {
                *trouble = Some(Trouble { since: Instant::now(), with, pause: Duration::ZERO });
            }
        }
    }

    fn was_on(&self, number: u64) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.with == number)
    }

    /// Waits before it is tried again, each time longer.
    async fn rest(&mut self) {
        let Some(trouble) = &mut self.trouble else { return };
        sleep(trouble.pause).await;
        trouble.pause = (trouble.pause * 2).clamp(PAUSE.0, PAUSE.1);
    }

    /// No connection can be made: what that means for what was asked.
    fn given_up(&self, why: Error) -> Error {
        match why {
            Error::Unsure { .. } => why,
            why if self.first.is_some() && self.call.changes() => {
                Error::Unsure { why: why.to_string() }
            }
            why => why,
        }
    }
}

impl Link {
    /// Connects with what is known of the lab here, or as `known`.
    pub(crate) async fn connect(address: &Address, known: Option<Known>) -> Result<Link, Error> {
        let way = known.map_or(Way::Usual, |known| Way::As(Box::new(known)));
        let present = Mutex::new(dialled(address, &way).await?);
        Ok(Link { address: address.clone(), way, present })
    }

    /// A connection that somebody else has made, and that is not made again.
    pub(crate) fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        address: Address,
    ) -> Link {
        Link { address, way: Way::None, present: Mutex::new(Connection::over(stream)) }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// A connection on which a call is asked, or asked again. It is tried for [`TRYING`] to make one
    /// instead of one that broke.
    ///
    /// # Errors
    /// [`Error::Unreachable`], or why the lab does not let the caller in; [`Error::Unsure`] if what was
    /// asked before would change something.
    pub(crate) async fn ready(&self, errand: &mut Errand) -> Result<(LabClient, Context), Error> {
        let Some(trouble) = &errand.trouble else { return self.one(errand).await };
        let end = errand.deadline.min(trouble.since + TRYING);
        let mut last = self.closed();
        let tried = timeout_at(end.into(), async {
            loop {
                errand.rest().await;
                match self.one(errand).await {
                    Err(why @ (Error::Unreachable { .. } | Error::TooOld { .. })) => last = why,
                    other => return other,
                }
            }
        });
        let ready = tried.await.unwrap_or_else(|_| Err(last));
        ready.map_err(|why| errand.given_up(why))
    }

    /// The connection there is; another, if that one is over.
    async fn one(&self, errand: &mut Errand) -> Result<(LabClient, Context), Error> {
        let mut present = self.present.lock().await;
        if present.carrier.is_finished() || errand.was_on(present.number) {
            if matches!(self.way, Way::None) {
                return Err(self.closed());
            }
            let number = present.number + 1;
            *present = Connection { number, ..dialled(&self.address, &self.way).await? };
        }
        errand.on = (present.number, present.since);
        Ok((present.calls.clone(), errand.context(present.run)?))
    }

    /// What came of a call; nothing, if it is to be asked again.
    pub(crate) fn heard<T>(
        &self,
        errand: &mut Errand,
        answer: Result<Result<T, Error>, RpcError>,
    ) -> Option<Result<T, Error>> {
        let error = match answer {
            Ok(answer) => return Some(answer),
            Err(RpcError::Shutdown | RpcError::Channel(_)) if !matches!(self.way, Way::None) => {
                errand.broke();
                return None;
            }
            Err(RpcError::Shutdown) => self.closed(),
            Err(RpcError::DeadlineExceeded) => Error::TimedOut { seconds: PATIENCE.0 / 1_000 },
            Err(RpcError::Server(why)) => of_server(why),
            Err(other) => self.unreachable(other.to_string()),
        };
        Some(Err(error))
    }

    fn closed(&self) -> Error {
        self.unreachable("it closed the connection".to_owned())
    }

    fn unreachable(&self, why: String) -> Error {
        Error::Unreachable { address: self.address.to_string(), why }
    }
}

async fn dialled(address: &Address, way: &Way) -> Result<Connection, Error> {
    let (stream, welcome) = match way {
        Way::As(known) => dial_known(address, Some(Known::clone(known)), &Purpose::Call).await?,
        Way::Usual | Way::None => dial(address, &Purpose::Call).await?,
    };
    Ok(Connection { run: welcome.run, ..Connection::over(stream) })
}

/// A clock that nobody sets, and that goes on while the machine sleeps: whoever wakes up in the middle of a
/// call knows how long ago it was asked.
fn steady() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// What a daemon says of a call without asking the lab.
#[must_use]
pub fn of_server(why: ServerError) -> Error {
    match why.kind {
        FORGOTTEN => Error::Unsure { why: why.detail },
        // A call that is larger than this caller's may be.
        ErrorKind::InvalidInput => Error::Bad { why: why.detail },
        ErrorKind::WouldBlock => Error::Busy { why: why.detail },
        // Too large an answer, or a fault.
        _ => Error::Device { device: "labd".to_owned(), why: why.detail },
    }
}
