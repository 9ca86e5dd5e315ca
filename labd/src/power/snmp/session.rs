//! One question to an SNMP agent, and its answer.
//!
//! Nothing outlives a question: each try has a socket, a port and a request number of its own, so
//! a late answer reaches nobody, and a device that was exchanged is simply met anew. A question
//! may be sent again, for to read or to write a number twice does what once does.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use snmp::{AsyncSession, Oid, Pdu, Value};
use tokio::time::timeout;

use super::identity::{Identity, Login};
use super::profile::{Name, Number};

/// Where an agent is, and how it is asked.
#[derive(Debug, PartialEq)]
pub(super) struct Agent {
    /// A name or an address.
    pub(super) host: String,
    pub(super) udp_port: u16,
    pub(super) identity: Identity,
    /// How long each try may take.
    pub(super) timeout: Duration,
    /// After the first.
    pub(super) retries: u8,
}

/// Something to ask.
pub(super) enum Question {
    /// How these stand.
    Get(Vec<Name>),
    /// That this be so.
    Set(Name, Number),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing came in time.
    Silent,
    /// Nothing could be sent, or nobody listens.
    Unreachable(String),
    /// The agent does not know the user, or the user's passwords are others.
    Stranger,
    /// The agent has nothing of that name, or shows it to others only.
    Nothing,
    /// The agent's error-status (RFC 3416 §3): not 0.
    Status(u32),
    /// What came was no answer to what was asked.
    Garbled(String),
    /// The agent told the time that the question must carry, and not yet more.
    Clock,
}

impl Agent {
    /// How long [`Agent::ask`] waits for answers at most.
    pub(super) fn limit(&self) -> Duration {
        self.timeout * self.tries()
    }

    /// Asks, and asks again if nothing comes. The answer has a number for each name of a
    /// [`Question::Get`], in their order, and none for a [`Question::Set`].
    ///
    /// # Errors
    /// [`Fault::Silent`] if any try ended so, for then it may have been obeyed; else the last try's.
    pub(super) async fn ask(&self, question: &Question) -> Result<Vec<i64>, Fault> {
        let login = self.identity.login().map_err(Fault::Unreachable)?;
        let addresses = self.resolve().await?;
        let mut failed = None;
        // A host may have an address that its agent does not listen on.
        for to in addresses.iter().cycle().take(self.tries() as usize) {
            let fault = match timeout(self.timeout, unpanicked(&login, *to, question)).await {
                Err(_) => Fault::Silent,
                Ok(Err(fault)) if fault.may_pass() => fault,
                Ok(answer) => return answer,
            };
            if failed != Some(Fault::Silent) {
                failed = Some(fault);
            }
        }
        Err(failed.unwrap_or(Fault::Silent))
    }

    fn tries(&self) -> u32 {
        u32::from(self.retries) + 1
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, Fault> {
        let lookup = tokio::net::lookup_host((self.host.as_str(), self.udp_port));
        let found = match timeout(self.limit(), lookup).await {
            Err(_) => return Err(Fault::Unreachable("its name is not resolved in time".into())),
            Ok(Err(error)) => return Err(Fault::Unreachable(error.to_string())),
            Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
        };
        match found.is_empty() {
            true => Err(Fault::Unreachable("its name has no address".to_owned())),
            false => Ok(found),
        }
    }
}

/// Where sums are checked, which is in debug builds, snmp2 panics on an agent whose clock is near
/// the ends of 64 bits.
async fn unpanicked(login: &Login, to: SocketAddr, question: &Question) -> Result<Vec<i64>, Fault> {
    let asked = AssertUnwindSafe(ask_once(login, to, question)).catch_unwind().await;
    asked.unwrap_or_else(|_| Err(Fault::Garbled("it made the decoder fail".to_owned())))
}

async fn ask_once(login: &Login, to: SocketAddr, question: &Question) -> Result<Vec<i64>, Fault> {
    let session = login.open(to, first_id()).await;
    let mut session = session.map_err(|error| Fault::Unreachable(error.to_string()))?;
    session.init().await?;
    match put(&mut session, question).await {
        Err(Fault::Clock) => put(&mut session, question).await,
        answer => answer,
    }
}

async fn put(session: &mut AsyncSession, question: &Question) -> Result<Vec<i64>, Fault> {
    let version = session.version();
    let (answer, names) = match question {
        Question::Get(names) => {
            let names = names.iter().map(|name| oid(name)).collect::<Result<Vec<_>, _>>()?;
            (session.get_many(&names.iter().collect::<Vec<_>>()).await?, names)
        }
        Question::Set(name, number) => {
            (session.set(&[(&oid(name)?, value(*number))]).await?, Vec::new())
        }
    };
    // snmp2 takes an unsigned answer to a signed question.
    if answer.version()? != version {
        return Err(Fault::Garbled("it answers in another version of SNMP".to_owned()));
    }
    numbers(&answer, &names)
}

/// The numbers that an answer gives for `names`, which it must repeat.
fn numbers(answer: &Pdu<'_>, names: &[Oid<'_>]) -> Result<Vec<i64>, Fault> {
    if answer.error_status != snmp::snmp::ERRSTATUS_NOERROR {
        return Err(Fault::Status(answer.error_status));
    }
    let mut bindings = answer.varbinds.clone();
    let asked = |name: &Oid<'_>| match bindings.next() {
        Some((of, value)) if of == *name => number(&value),
        _ => Err(Fault::Garbled("it answers something that was not asked".to_owned())),
    };
    names.iter().map(asked).collect()
}

fn number(value: &Value<'_>) -> Result<i64, Fault> {
    match value {
        Value::Integer(number) => Ok(*number),
        Value::Unsigned32(number) => Ok((*number).into()),
        Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => Err(Fault::Nothing),
        _ => Err(Fault::Garbled("it answers something that is no number".to_owned())),
    }
}

fn value(number: Number) -> Value<'static> {
    match number {
        Number::Integer(number) => Value::Integer(number.into()),
        Number::Gauge32(number) => Value::Unsigned32(number),
    }
}

fn oid(name: &[u64]) -> Result<Oid<'static>, Fault> {
    Oid::from(name).map_err(|_| Fault::Garbled("no object can have that name".to_owned()))
}

/// Not to be guessed by those who would answer in the agent's place.
fn first_id() -> i32 {
    (RandomState::new().hash_one(()) as i32) & i32::MAX
}

impl Fault {
    /// Whether the same question may be answered the next time.
    fn may_pass(&self) -> bool {
        match self {
            Fault::Silent | Fault::Unreachable(_) | Fault::Garbled(_) | Fault::Clock => true,
            Fault::Stranger | Fault::Nothing | Fault::Status(_) => false,
        }
    }
}

impl From<snmp::Error> for Fault {
    fn from(error: snmp::Error) -> Fault {
        match error {
            snmp::Error::AuthUpdated => Fault::Clock,
            snmp::Error::AuthFailure(_) => Fault::Stranger,
            // All that a connected socket is told: the host is there and the port is not.
            snmp::Error::Send | snmp::Error::Receive => {
                Fault::Unreachable("nothing listens there; is SNMP enabled?".to_owned())
            }
            other => Fault::Garbled(format!("its answer cannot be read: {other}")),
        }
    }
}
