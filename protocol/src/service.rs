//! Every call there is.
//!
//! A call is a small question and its answer. What takes time goes on in the daemon when the caller
//! leaves; what flows is followed, see [`crate::wire::Follow`].

use crate::account::{
    Account, AccountAsk, Enrolled, Key, Login, May, MayAsk, NewToken, Token, TokenAsk,
};
use crate::address::Address;
use crate::board::{Board, BoardDetail, BoardName, Class, Filter};
use crate::boot::Boots;
use crate::console::{PenAsk, PenState, Signal};
use crate::error::Error;
use crate::hold::{Ask, Hold, Place, Placed, Release};
use crate::power::{PowerAsk, PowerDetail};
use crate::time::{Span, Time};
use crate::trigger::Trigger;
use crate::user::{UserName, Who};

/// What can be asked of a lab.
#[tarpc::service]
pub trait Lab {
    /// Who the caller is to the lab.
    async fn whoami() -> Result<Who, Error>;

    /// The board table.
    async fn boards(filter: Filter) -> Result<Vec<Board>, Error>;
    /// Everything about one board. Its outlet is asked, if that takes no longer than `patience`.
    async fn board(name: BoardName) -> Result<BoardDetail, Error>;
    /// The classes, and how their boards stand.
    async fn classes() -> Result<Vec<Class>, Error>;
    /// Every hold.
    async fn holds() -> Result<Vec<Hold>, Error>;
    /// The whole queue, first served first.
    async fn queue() -> Result<Vec<Place>, Error>;

    /// Holds a board, or takes a place in the queue.
    async fn reserve(ask: Ask) -> Result<Placed, Error>;
    /// How the caller's place stands; answers when it has become a hold, or after `patience`.
    async fn placed(number: u64, patience: Span) -> Result<Placed, Error>;
    /// Gives up a place in the queue.
    async fn unqueue(number: u64) -> Result<(), Error>;
    /// Ends a hold. Answers when the setup script, if there is one, has cleaned up.
    async fn release(board: BoardName, release: Release) -> Result<Hold, Error>;
    /// Makes the caller's hold last until `span` from now, if that is later than it would end.
    async fn extend(board: BoardName, span: Span) -> Result<Hold, Error>;
    /// Hands the caller's hold to somebody else, under a new number.
    async fn give(board: BoardName, to: UserName) -> Result<Hold, Error>;

    /// Switches a board; answers when it is seen to be done.
    async fn power(board: BoardName, ask: PowerAsk) -> Result<PowerDetail, Error>;
    /// Asks the outlet itself how it stands.
    async fn outlet(board: BoardName) -> Result<PowerDetail, Error>;

    /// A board's boots since a time, and how long those of its class take.
    async fn boots(board: BoardName, since: Option<Time>) -> Result<Boots, Error>;
    /// What the lab does when consoles show something.
    async fn triggers() -> Result<Vec<Trigger>, Error>;

    /// Takes, asks for, or gives up the pen for a session that follows a console.
    async fn pen(session: u64, ask: PenAsk) -> Result<PenState, Error>;
    /// Types for a session that has the pen; answers when the device has taken all of it.
    async fn type_in(session: u64, bytes: Vec<u8>) -> Result<(), Error>;
    /// Sends a BREAK of `span` on the console, for a session that has the pen; answers when it is over.
    async fn send_break(session: u64, span: Span) -> Result<(), Error>;
    /// Sends a BREAK, or what is configured under a name, on a board's console, if nobody else has the pen;
    /// answers when it is over.
    async fn signal(board: BoardName, signal: Signal) -> Result<(), Error>;
    /// Writes something down on a board's timeline.
    async fn note(board: BoardName, text: String) -> Result<(), Error>;

    /// Whether somebody may do something, and why.
    async fn may(ask: MayAsk) -> Result<May, Error>;
    /// The accounts: everybody's for a moderator, else the caller's own.
    async fn accounts() -> Result<Vec<Account>, Error>;
    /// Makes, changes or removes an account; answers with it as it is then.
    async fn change_account(name: UserName, ask: AccountAsk) -> Result<Option<Account>, Error>;
    /// The tokens: everybody's for an administrator, else the caller's own.
    async fn tokens() -> Result<Vec<Token>, Error>;
    /// Makes a token. Its secret is told here and never again.
    async fn make_token(ask: TokenAsk) -> Result<NewToken, Error>;
    /// Revokes a token. Whoever is here with it is out within a second.
    async fn revoke_token(id: String) -> Result<Token, Error>;

    /// Exchanges what the caller came with, a joining token or a certificate, for a certificate of a
    /// public key, in PEM.
    async fn enrol(key: String) -> Result<Enrolled, Error>;
    /// The certificates: everybody's for an administrator, else the caller's own.
    async fn logins() -> Result<Vec<Login>, Error>;
    /// Revokes a certificate. Whoever is here with it is out within a second.
    async fn log_out(id: String) -> Result<Login, Error>;
    /// Where the lab is found from elsewhere, and by what it is known.
    async fn found_at() -> Result<Address, Error>;
    /// The ssh public keys: everybody's for an administrator, else the caller's own.
    async fn keys() -> Result<Vec<Key>, Error>;
    /// Adds an ssh public key, a line as in `id_ed25519.pub`: the caller's, if nobody is named.
    async fn add_key(who: Option<UserName>, line: String) -> Result<Key, Error>;
    /// Removes an ssh public key. Whoever is here with it is out within a second.
    async fn remove_key(fingerprint: String) -> Result<Key, Error>;

    /// Reads the configuration again and takes it over as one step; says what changed.
    async fn reload() -> Result<Vec<String>, Error>;
    /// Looks for what an administrator should mend. A sentence each, with what to do.
    async fn doctor() -> Result<Vec<String>, Error>;
    /// Reads the whole ledger and compares the store with it. A sentence each.
    async fn verify() -> Result<Vec<String>, Error>;
    /// Builds the store anew from the ledger; the old one is set aside.
    async fn rebuild() -> Result<Vec<String>, Error>;
    /// Takes over an export, if the lab is new and empty.
    async fn import(lines: Vec<String>) -> Result<Vec<String>, Error>;
}
