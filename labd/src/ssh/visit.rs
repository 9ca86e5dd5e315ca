//! One connection: which keys are good, and which channels are opened.
//!
//! Everything is answered here and at once, so that answers come in the order of what was asked; what a
//! channel is for takes its time in a task of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use russh::keys::{Algorithm, HashAlg, PublicKey};
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, Error, Pty};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::visitor::Visitor;
use super::words::is_locale;
use super::{Door, session, tunnel};

/// A connection.
pub struct Visit {
    door: Arc<Door>,
    /// How they came here, and from where.
    via: String,
    known: watch::Sender<Option<Arc<Visitor>>>,
    /// What they want, as the ssh user name says.
    user: String,
    /// The keys that nobody here has.
    refused: Arc<Mutex<BTreeSet<String>>>,
    /// The channels that have been told what to do.
    begun: BTreeSet<ChannelId>,
}

impl Visit {
    /// A connection on which nobody is known yet; who it is will be told to `known`, and which keys nobody
    /// here has, to `refused`.
    pub(super) fn new(
        door: Arc<Door>,
        via: String,
        known: watch::Sender<Option<Arc<Visitor>>>,
        refused: Arc<Mutex<BTreeSet<String>>>,
    ) -> Visit {
        let begun = BTreeSet::new();
        Visit { door, via, known, user: String::new(), refused, begun }
    }

    /// Whether a key is somebody's. If not, it is remembered until nobody has come in.
    fn is_known(&self, key: &PublicKey, algorithm: &Algorithm) -> bool {
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        let is_weak = matches!(algorithm, Algorithm::Rsa { hash: None } | Algorithm::Dsa);
        let is_known = !is_weak && self.door.lab.key(&fingerprint).is_some();
        if !is_known {
            self.refused.lock().insert(fingerprint);
        }
        is_known
    }

    /// Who is here, and room for one more channel of theirs.
    fn one_more(&self) -> Option<(Arc<Visitor>, OwnedSemaphorePermit)> {
        let visitor = self.known.borrow().clone()?;
        let room = visitor.room()?;
        Some((visitor, room))
    }

    /// Begins what a channel is for, if it has not begun before.
    fn begin(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Error> {
        match self.begun.insert(channel) {
            true => session.channel_success(channel),
            false => session.channel_failure(channel),
        }
    }
}

impl Handler for Visit {
    type Error = Error;

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Error> {
        let is_known = self.is_known(offer.public_key, offer.algorithm);
        Ok(if is_known { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Error> {
        let is_known = self.is_known(key.public_key, key.algorithm);
        let fingerprint = key.public_key.fingerprint(HashAlg::Sha256).to_string();
        let Some(key) = self.door.lab.key(&fingerprint).filter(|_| is_known) else {
            return Ok(Auth::reject());
        };
        tracing::info!(who = %key.who, via = %self.via, key = %fingerprint, "came in by ssh");
        user.clone_into(&mut self.user);
        let visitor = Visitor::new(self.door.clone(), key, self.via.clone()).await;
        self.known.send_replace(Some(Arc::new(visitor)));
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        let Some((visitor, room)) = self.one_more() else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        reply.accept().await;
        let user = self.user.clone();
        tokio::spawn(async move {
            session::serve(&visitor, &user, channel).await;
            drop(room);
        });
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        let Some((visitor, room)) = self.one_more() else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        let host = host.to_owned();
        tokio::spawn(async move {
            tunnel::serve(&visitor, &host, port, channel, reply).await;
            drop(room);
        });
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _: &mut Session) -> Result<(), Error> {
        self.begun.remove(&channel);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Error> {
        session.channel_success(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        match is_locale(name, value) {
            true => session.channel_success(channel),
            false => session.channel_failure(channel),
        }
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Error> {
        self.begin(channel, session)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), Error> {
        self.begin(channel, session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        session.channel_failure(channel)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), Error> {
        session.channel_failure(channel)
    }
}
