//! Somebody at the lab's door.

use std::ops::Deref;
use std::sync::{Arc, Weak};

use anyhow::Result;
use labd::lab::Lab;
use labd::lab::people::Peer;
use labd::rpc::listen;
use protocol::Error;
use protocol::account::Secret;
use protocol::address::Address;
use protocol::client::Client;
use protocol::console::{From, Pen};
use protocol::user::Role;
use protocol::wire::{self, Follow, Purpose, Welcome};
use tokio::io::BufReader;

use crate::follower::{Follower, Stream};
use crate::patience::soon;
use crate::rest::Rest;

/// Somebody who calls the lab and follows what flows, as over a socket.
pub struct Person {
    way: Way,
    client: Client,
}

/// How somebody comes to the lab.
enum Way {
    /// As a door found them to be.
    Peer(Weak<Lab>, Box<Peer>),
    /// By REST, with a token.
    Rest(Arc<Rest>, Secret),
}

impl Deref for Person {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Person {
    /// Comes to the lab.
    ///
    /// # Errors
    /// The lab's.
    pub async fn new(lab: &Arc<Lab>, name: &str, role: Role) -> Result<Person> {
        Person::from(lab, Peer::vouched(name.parse()?, role)).await
    }

    /// Comes to the lab as a door found them to be.
    ///
    /// # Errors
    /// The lab's.
    pub async fn from(lab: &Arc<Lab>, peer: Peer) -> Result<Person> {
        let (stream, _) = dial(lab, &peer, &Purpose::Call).await?;
        let client = Client::over(stream, Address::Unix(peer.name.as_str().into()));
        Ok(Person { way: Way::Peer(Arc::downgrade(lab), Box::new(peer)), client })
    }

    /// Comes to the lab by REST, with a token.
    pub fn by_rest(door: &Arc<Rest>, token: Secret) -> Person {
        let client = Client::over(door.calls(token.clone()), Address::Unix("rest".into()));
        Person { way: Way::Rest(door.clone(), token), client }
    }

    /// Follows something.
    ///
    /// # Errors
    /// The lab's.
    pub async fn follow(&self, what: Follow) -> Result<Follower, Error> {
        let gone = || Error::Unreachable { address: "the lab".into(), why: "it is closed".into() };
        let (stream, welcome) = match &self.way {
            Way::Peer(lab, peer) => {
                let lab = lab.upgrade().ok_or_else(gone)?;
                dial(&lab, peer, &Purpose::Follow(what)).await?
            }
            Way::Rest(door, token) => door.follow(token, &what).await?,
        };
        Ok(Follower::new(stream, welcome))
    }

    /// Returns when the lab has closed the connection for calls.
    ///
    /// # Errors
    /// If it does not.
    pub async fn is_shown_out(&self) -> Result<()> {
        soon(async {
            while !matches!(self.client.whoami().await, Err(Error::Unreachable { .. })) {
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    /// Looks at a console.
    ///
    /// # Errors
    /// The lab's.
    pub async fn look_at(&self, board: &str, from: From) -> Result<Follower, Error> {
        self.console(board, from, Pen::Unwanted).await
    }

    /// Looks at a console from now on, and wants to type.
    ///
    /// # Errors
    /// The lab's.
    pub async fn type_at(&self, board: &str) -> Result<Follower, Error> {
        self.console(board, From::End, Pen::Wanted).await
    }

    async fn console(&self, board: &str, from: From, pen: Pen) -> Result<Follower, Error> {
        let board = name(board)?;
        self.follow(Follow::Console { board, from, pen, stop_at_end: false }).await
    }

    /// The timeline of a board, from its beginning on.
    ///
    /// # Errors
    /// The lab's.
    pub async fn journal(&self, board: &str) -> Result<Follower, Error> {
        let board = Some(name(board)?);
        self.follow(Follow::Journal {
            board,
            from: Some(1),
            since: None,
            tail: 0,
            stop_at_end: false,
        })
        .await
    }

    /// Keeps a hold or a place, as long as what is returned is not dropped.
    ///
    /// # Errors
    /// The lab's.
    pub async fn keep(&self, number: u64) -> Result<Follower, Error> {
        self.follow(Follow::Keep { number }).await
    }
}

fn name<T: std::str::FromStr<Err: ToString>>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|error: T::Err| Error::Bad { why: error.to_string() })
}

/// Asks and is answered the first line, as on a socket.
async fn dial(
    lab: &Arc<Lab>,
    peer: &Peer,
    purpose: &Purpose,
) -> Result<(BufReader<Box<dyn Stream>>, Welcome), Error> {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(listen::converse(lab.clone(), peer.clone(), theirs));
    let mut stream = BufReader::new(Box::new(ours) as Box<dyn Stream>);
    let broke = |error: std::io::Error| Error::Unreachable {
        address: "the lab".into(),
        why: error.to_string(),
    };
    wire::ask(&mut stream, purpose).await.map_err(broke)?;
    let welcome = wire::answer(&mut stream).await?;
    Ok((stream, welcome))
}
