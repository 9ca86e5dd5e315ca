//! Somebody who has come in with a key.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use protocol::Error;
use protocol::account::Key;
use protocol::address::Address;
use protocol::client::Client;
use protocol::user::Who;
use protocol::wire::{Purpose, Welcome};
use tokio::io::{BufReader, DuplexStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Door;
use crate::lab::people::{Peer, Proof};
use crate::rpc::identity::completed;
use crate::rpc::inside::{self, Inside};

/// So many channels at once: sessions and tunnels.
const CHANNELS: usize = 32;

/// Whether a visitor is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stay {
    Here,
    /// They are gone.
    Left,
    /// They must go: why.
    ShownOut(&'static str),
}

/// Somebody on a connection.
pub struct Visitor {
    pub(super) door: Arc<Door>,
    /// Who they are, as the door knows it.
    pub(super) peer: Peer,
    /// With what they came.
    pub(super) key: Key,
    /// How they came here, and from where.
    via: String,
    channels: Arc<Semaphore>,
    /// What waits of all that they send, on this connection and others.
    pub(super) waiting: Arc<AtomicUsize>,
    stay: watch::Sender<Stay>,
}

impl Visitor {
    /// Whoever has that key.
    pub(super) async fn new(door: Arc<Door>, key: Key, via: String) -> Visitor {
        let peer = peer(&door, &key, &via).await;
        let channels = Arc::new(Semaphore::new(CHANNELS));
        let (waiting, stay) = (door.shares.waiting(&peer.name), watch::Sender::new(Stay::Here));
        Visitor { door, peer, key, via, channels, waiting, stay }
    }

    /// Who they are at this moment.
    ///
    /// # Errors
    /// [`Error::NotKnown`], [`Error::NotAllowed`].
    pub(super) fn who(&self) -> Result<Who, Error> {
        self.door.lab.who(&self.peer)
    }

    /// Room for one more channel, if there is any.
    pub(super) fn room(&self) -> Option<OwnedSemaphorePermit> {
        self.channels.clone().try_acquire_owned().ok()
    }

    /// They leave, or are shown out: whatever they have begun ends.
    pub(super) fn ends(&self, how: Stay) {
        self.stay.send_if_modified(|stay| {
            let is_here = *stay == Stay::Here;
            if is_here {
                *stay = how;
            }
            is_here
        });
    }

    /// Whether they are still there.
    pub(super) fn stay(&self) -> Stay {
        *self.stay.borrow()
    }

    /// Returns when nothing that they have begun goes on.
    pub(super) async fn until_idle(&self) {
        // Nobody closes it.
        let _ = self.channels.acquire_many(CHANNELS as u32).await;
    }

    /// Returns when they have left, or must.
    pub(super) async fn until_over(&self) {
        // The sender is here, and so is whoever waits.
        let _ = self.stay.subscribe().wait_for(|stay| *stay != Stay::Here).await;
    }

    /// Returns when they are no longer who they were: the key was removed, a role is over, or the system
    /// says otherwise after a reload.
    pub(super) async fn until_somebody_else(&self) {
        let lab = &self.door.lab;
        let mut reloads = lab.reloads();
        let changed = async {
            match self.who() {
                Ok(who) => lab.until_changed(&self.peer, &who).await,
                // There is nothing that they could lose; but the key may go.
                Err(_) => {
                    let mut changes = lab.access_changes();
                    while self.who().is_err()
                        && lab.key(&self.key.fingerprint).is_some()
                        && changes.changed().await.is_ok()
                    {}
                }
            }
        };
        let reloaded = async {
            while reloads.changed().await.is_ok()
                && peer(&self.door, &self.key, &self.via).await == self.peer
            {}
        };
        tokio::select! {
            () = changed => {}
            () = reloaded => {}
        }
    }

    /// Asks the lab for something, as over a socket.
    ///
    /// # Errors
    /// The lab's.
    pub(super) async fn ask(
        &self,
        purpose: &Purpose,
    ) -> Result<(BufReader<DuplexStream>, Welcome), Error> {
        let Inside { flow, welcome, .. } = inside::ask(&self.door.lab, &self.peer, purpose).await?;
        Ok((flow, welcome))
    }

    /// For calls.
    ///
    /// # Errors
    /// The lab's.
    pub(super) async fn client(&self) -> Result<Client, Error> {
        let (stream, _) = self.ask(&Purpose::Call).await?;
        Ok(Client::over(stream, Address::Unix("ssh".into())))
    }
}

/// Who has that key: to the system whoever is called so, if there is somebody.
async fn peer(door: &Door, key: &Key, via: &str) -> Peer {
    let (name, fingerprint) = (key.who.clone(), key.fingerprint.clone());
    let via = format!("{via} key {fingerprint}");
    let peer = Peer::new(name, Proof::Key(fingerprint), via);
    completed(peer.clone(), &door.lab).await.unwrap_or(peer)
}
