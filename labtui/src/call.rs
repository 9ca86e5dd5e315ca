//! Calls to the lab. Each runs in a task of its own and comes back as a message, so that no key ever
//! waits for the network.

mod whole;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use protocol::account::{Account, Token};
use protocol::address::Address;
use protocol::board::{BoardDetail, BoardName};
use protocol::boot::Boots;
use protocol::client::Client;
use protocol::console::{PenAsk, PenState};
use protocol::hold::{Ask, Hold, IfTaken, Place, Placed, Release, Want};
use protocol::power::{PowerAsk, PowerDetail};
use protocol::search::{Hit, Search};
use protocol::user::Who;
use protocol::{Error, Span};
use tokio::sync::{Mutex, mpsc};

use crate::past::Printed;
use crate::update::Message;

/// How long the line is kept down for a BREAK: more than a character at 300 baud.
const BREAK: Span = Span::millis(250);

/// A board's details are asked for no more often than this.
const CALM: Span = Span::millis(100);

/// Something asked of the lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Who am I?
    WhoAmI,
    /// Everything about a board.
    Detail(BoardName),
    /// Who waits?
    Queue,
    /// Who has an account?
    Accounts,
    /// What do people come in with?
    Tokens,
    /// A hold, or a place in the queue.
    Reserve {
        /// Of which board.
        board: BoardName,
        /// For how long; the board's default if none.
        span: Option<Span>,
    },
    /// The end of a hold.
    Release {
        /// Of which board.
        board: BoardName,
        /// How.
        release: Release,
    },
    /// A longer hold.
    Extend {
        /// Of which board.
        board: BoardName,
        /// From now.
        span: Span,
    },
    /// Power.
    Power {
        /// Of which board.
        board: BoardName,
        /// What.
        ask: PowerAsk,
    },
    /// The pen.
    Pen {
        /// For this viewer.
        session: u64,
        /// How.
        ask: PenAsk,
    },
    /// A BREAK.
    Break {
        /// By this viewer.
        session: u64,
    },
    /// A board's boots.
    Boots(BoardName),
    /// What consoles printed.
    Find(Box<Search>),
    /// How a console looked.
    Past {
        /// Whose.
        board: BoardName,
        /// When so much was printed.
        offset: u64,
    },
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// To [`Call::WhoAmI`].
    Who(Who),
    /// To [`Call::Detail`].
    Detail(Box<BoardDetail>),
    /// To [`Call::Queue`].
    Queue(Vec<Place>),
    /// To [`Call::Accounts`].
    Accounts(Vec<Account>),
    /// To [`Call::Tokens`].
    Tokens(Vec<Token>),
    /// To [`Call::Reserve`].
    Placed(Placed),
    /// To [`Call::Release`] and [`Call::Extend`].
    Hold(Hold),
    /// To [`Call::Power`].
    Power(PowerDetail),
    /// To [`Call::Pen`].
    Pen(PenState),
    /// To [`Call::Break`].
    Done,
    /// To [`Call::Boots`].
    Boots(Boots),
    /// To [`Call::Find`].
    Hits(Vec<Hit>),
    /// To [`Call::Past`].
    Past(Printed),
}

impl Call {
    /// Whether the person asked for it, rather than labtui by itself.
    pub fn is_a_deed(&self) -> bool {
        use Call::*;
        !matches!(self, WhoAmI | Detail(_) | Queue | Accounts | Tokens)
    }
}

/// What is asked, after "could not".
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Call::WhoAmI => write!(f, "ask who you are"),
            Call::Detail(board) => write!(f, "read the details of {board}"),
            Call::Queue => write!(f, "read the queue"),
            Call::Accounts => write!(f, "read the accounts"),
            Call::Tokens => write!(f, "read the tokens"),
            Call::Reserve { board, .. } => write!(f, "reserve {board}"),
            Call::Release { board, .. } => write!(f, "release {board}"),
            Call::Extend { board, .. } => write!(f, "extend your hold of {board}"),
            Call::Power { board, ask: PowerAsk::Cycle } => write!(f, "cycle the power of {board}"),
            Call::Power { board, ask: PowerAsk::Reset } => write!(f, "reset {board}"),
            Call::Power { board, ask } => write!(f, "switch {board} {ask}"),
            Call::Pen { ask: PenAsk::Grant { .. }, .. } => write!(f, "hand over the pen"),
            Call::Pen { ask: PenAsk::Keep, .. } => write!(f, "keep the pen"),
            Call::Pen { ask: PenAsk::Pair { .. }, .. } => write!(f, "let anybody type as well"),
            Call::Pen { ask: PenAsk::Part, .. } => write!(f, "end typing together"),
            Call::Pen { .. } => write!(f, "take the pen"),
            Call::Break { .. } => write!(f, "send a BREAK"),
            Call::Boots(board) => write!(f, "read the boots of {board}"),
            Call::Find(search) => write!(f, "look for '{}'", search.pattern),
            Call::Past { board, .. } => write!(f, "read what {board} printed"),
        }
    }
}

/// Makes calls.
#[derive(Clone)]
pub struct Caller {
    address: Address,
    messages: mpsc::Sender<Message>,
    client: Arc<Mutex<Option<Client>>>,
}

impl Caller {
    /// A caller to the lab at `address`; it connects when there is something to ask.
    pub fn new(address: Address, messages: mpsc::Sender<Message>) -> Caller {
        Caller { address, messages, client: Arc::default() }
    }

    /// Makes a call in a task of its own.
    pub fn make(&self, call: Call) {
        let caller = self.clone();
        tokio::spawn(async move {
            let answer = caller.answer(&call).await;
            // Nobody listens any more if labtui is about to end.
            let _ = caller.messages.send(Message::Answer { call, answer }).await;
        });
    }

    async fn answer(&self, call: &Call) -> Result<Answer, Error> {
        match call {
            // Asked whenever the lab is there again: an older connection is of no use.
            Call::WhoAmI => drop(self.client.lock().await.take()),
            Call::Detail(_) => tokio::time::sleep(CALM.duration()).await,
            _ => {}
        }
        let client = self.client().await?;
        let asked = Instant::now();
        let answer = ask(&client, call.clone()).await;
        if *call == Call::WhoAmI && answer.is_ok() {
            let took = Span(u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX));
            let _ = self.messages.send(Message::RoundTrip(took)).await;
        }
        // It was tried for long enough; the next connects anew.
        if matches!(answer, Err(Error::Unreachable { .. } | Error::Unsure { .. })) {
            self.client.lock().await.take();
        }
        answer
    }

    async fn client(&self) -> Result<Client, Error> {
        let mut client = self.client.lock().await;
        match &*client {
            Some(client) => Ok(client.clone()),
            None => Ok(client.insert(Client::connect(&self.address).await?).clone()),
        }
    }
}

async fn ask(client: &Client, call: Call) -> Result<Answer, Error> {
    match call {
        Call::WhoAmI => client.whoami().await.map(Answer::Who),
        Call::Detail(board) => client.board(board).await.map(|it| Answer::Detail(Box::new(it))),
        Call::Queue => client.queue().await.map(Answer::Queue),
        Call::Accounts => client.accounts().await.map(Answer::Accounts),
        Call::Tokens => client.tokens().await.map(Answer::Tokens),
        Call::Reserve { board, span } => {
            client.reserve(wish(board, span)).await.map(Answer::Placed)
        }
        Call::Release { board, release } => client.release(board, release).await.map(Answer::Hold),
        Call::Extend { board, span } => client.extend(board, span).await.map(Answer::Hold),
        Call::Power { board, ask } => client.power(board, ask).await.map(Answer::Power),
        Call::Pen { session, ask } => client.pen(session, ask).await.map(Answer::Pen),
        Call::Break { session } => client.send_break(session, BREAK).await.map(|()| Answer::Done),
        Call::Boots(board) => client.boots(board, None).await.map(Answer::Boots),
        Call::Find(search) => whole::hits(client.address(), *search).await.map(Answer::Hits),
        Call::Past { board, offset } => {
            whole::past(client.address(), board, offset).await.map(Answer::Past)
        }
    }
}

fn wish(name: BoardName, span: Option<Span>) -> Ask {
    Ask {
        want: Want::Board { name },
        span,
        if_taken: IfTaken::Queue,
        grace: None,
        note: None,
        ssh_key: None,
    }
}
