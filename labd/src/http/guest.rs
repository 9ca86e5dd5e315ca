//! Who is asking, by the certificate of the connection or the token of a request.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use parking_lot::Mutex;
use protocol::Error;
use protocol::account::Secret;
use protocol::user::UserName;
use tokio::time::{Instant, sleep_until};

use super::problem::Problem;
use crate::doorstep::{Doorstep, Stranger, guests};
use crate::lab::Lab;
use crate::lab::people::Peer;
use crate::lab::people::system::{LOOK, is_in_other_groups};
use crate::rpc::calls::Caller;
use crate::rpc::identity;
use crate::rpc::listen::offence;
use crate::rules::guard::Offence;

/// So often is somebody nobody on one connection.
const GUESSES: u32 = 3;

/// Whoever is at the other end of a connection.
pub(super) struct Guest {
    lab: Arc<Lab>,
    from: IpAddr,
    login: Option<String>,
    /// As long as nobody is known.
    stranger: Mutex<Option<Stranger>>,
    doorstep: Arc<Doorstep>,
    /// Whose the connection is: of whoever came in last.
    here: Mutex<Option<(UserName, guests::Guest)>>,
    /// Whether they have said something without saying who they are.
    is_silent: AtomicBool,
    /// How often they were nobody.
    refused: AtomicU32,
    /// Who came in last, by what token, and when the system was asked about them.
    known: tokio::sync::Mutex<Option<(Option<Secret>, Peer, Instant)>>,
}

impl Guest {
    /// Somebody on the doorstep, with the login that they showed if they did.
    pub(super) fn new(lab: Arc<Lab>, stranger: Stranger, login: Option<String>) -> Arc<Guest> {
        let from = stranger.from;
        let doorstep = stranger.place.doorstep().clone();
        let (stranger, known) = (Mutex::new(Some(stranger)), tokio::sync::Mutex::default());
        let (here, is_silent, refused) = Default::default();
        Arc::new(Guest { lab, from, login, stranger, doorstep, here, is_silent, refused, known })
    }

    /// Who is asking: whose token it is; else, whose certificate.
    ///
    /// # Errors
    /// [`Error::NotKnown`].
    async fn peer(&self, token: Option<Secret>) -> Result<Peer, Error> {
        let mut known = self.known.lock().await;
        let same = known.as_ref().filter(|(known, ..)| *known == token);
        let peer = match same {
            Some((_, peer, asked)) if asked.elapsed() < LOOK => return Ok(peer.clone()),
            Some((_, peer, _)) if !is_in_other_groups(peer).await => peer.clone(),
            Some((_, peer, _)) => self.completed(peer.clone()).await?,
            None => self.completed(self.newcomer(token.as_ref()).await?).await?,
        };
        *known = Some((token, peer.clone(), Instant::now()));
        Ok(peer)
    }

    /// Whoever comes with this token; else, with this connection's certificate.
    async fn newcomer(&self, token: Option<&Secret>) -> Result<Peer, Error> {
        let via = format!("https {}", self.from);
        match (token, &self.login) {
            (Some(secret), _) => self.lab.come_in(secret, &via).await,
            (None, Some(login)) => self.lab.logged_in(login.clone(), &via),
            (None, None) => {
                let why = "the lab does not know you: come with a certificate, or with a token \
                           ('Authorization: Bearer lab_…')";
                Err(Error::NotKnown { why: why.to_owned() })
            }
        }
    }

    async fn completed(&self, peer: Peer) -> Result<Peer, Error> {
        identity::completed(peer, &self.lab).await.map_err(of_nobody)
    }

    /// Who is asking, and is still welcome; they leave the doorstep.
    async fn caller(&self, token: Result<Option<Secret>, Error>) -> Result<Caller, Error> {
        let mut has_proof = true;
        let met = async {
            let token = token?;
            has_proof = token.is_some() || self.login.is_some();
            let peer = self.peer(token).await?;
            self.lab.meet(&peer).map(|_| peer)
        };
        match met.await {
            Ok(peer) => {
                self.counts_for(&peer.name)?;
                if self.stranger.lock().take().is_some() {
                    self.refused.store(0, Ordering::Relaxed);
                }
                Ok(Caller { lab: self.lab.clone(), peer })
            }
            Err(why) => {
                match has_proof {
                    true => self.refused(&why),
                    false => self.came_with_nothing(),
                }
                Err(why)
            }
        }
    }

    /// Where they are.
    pub(super) fn place(&self) -> IpAddr {
        self.from
    }

    /// They were not let in, and this is why.
    fn refused(&self, why: &Error) {
        if matches!(why, Error::NotKnown { .. } | Error::NotAllowed { .. }) {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        if let (Some(offence), Some(stranger)) = (offence(why), &*self.stranger.lock()) {
            stranger.place.offend(offence);
        }
    }

    /// They have shown nothing that could be good, as any page may have a browser do; that counts once.
    pub(super) fn came_with_nothing(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        if let Some(stranger) = &*self.stranger.lock()
            && !self.is_silent.swap(true, Ordering::Relaxed)
        {
            stranger.place.offend(Offence::Silent);
        }
    }

    /// Whether the connection ends with this answer: of somebody who was known, and is not; of somebody who has
    /// guessed often enough.
    pub(super) fn is_over(&self) -> bool {
        let most = if self.stranger.lock().is_some() { GUESSES } else { 1 };
        self.refused.load(Ordering::Relaxed) >= most
    }

    /// It is one of their connections from now on.
    ///
    /// # Errors
    /// [`Error::Bad`] if they have too many.
    fn counts_for(&self, who: &UserName) -> Result<(), Error> {
        let mut here = self.here.lock();
        if here.as_ref().is_none_or(|(name, _)| name != who) {
            *here = Some((who.clone(), self.doorstep.come_in(who)?));
        }
        Ok(())
    }

    /// They are somebody else's from now on: what they speak is no longer HTTP.
    pub(super) fn leave(&self) -> Option<(Stranger, Option<String>)> {
        Some((self.stranger.lock().take()?, self.login.clone()))
    }

    /// Whoever is not known by now has been here for too long; never returns for whoever is.
    pub(super) async fn overdue(&self) {
        let due = self.stranger.lock().as_ref().map(|stranger| stranger.due);
        if let Some(due) = due {
            sleep_until(due).await;
        }
        let stranger = self.stranger.lock().take();
        match stranger {
            // Who is known and has too many connections has done no wrong.
            Some(_) if self.known.try_lock().is_ok_and(|known| known.is_some()) => {}
            // Browsers open connections that they then do not need.
            Some(stranger) if !self.is_silent.load(Ordering::Relaxed) => {
                stranger.place.offend(Offence::Silent);
            }
            Some(_) => {}
            None => std::future::pending().await,
        }
    }

    /// What they said was no HTTP.
    pub(super) fn spoke_nonsense(&self) {
        if let Some(stranger) = self.stranger.lock().take() {
            stranger.place.offend(Offence::Nonsense);
        }
    }
}

/// Whose proof is good and who is nobody any more is not known, either.
fn of_nobody(why: Error) -> Error {
    match why {
        Error::NoSuch { what, name, .. } if what == "user" => {
            let name = name.escape_debug();
            Error::NotKnown { why: format!("this is of {name}, of whom the lab no longer knows") }
        }
        other => other,
    }
}

impl<State: Sync> FromRequestParts<State> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Caller, Problem> {
        let guest = parts.extensions.get::<Arc<Guest>>().cloned();
        let guest = guest.ok_or(Problem(Error::Unknown))?;
        guest.caller(token(parts)).await.map_err(Problem)
    }
}

/// `Authorization: Bearer lab_…`
fn token(parts: &Parts) -> Result<Option<Secret>, Error> {
    let not_known = |why: &str| Error::NotKnown { why: why.to_owned() };
    let Some(value) = parts.headers.get(AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().map_err(|_| not_known("the token is not text"))?;
    let token = text.split_once(' ').filter(|(how, _)| how.eq_ignore_ascii_case("bearer"));
    let (_, token) = token.ok_or_else(|| not_known("write 'Authorization: Bearer lab_…'"))?;
    token.trim().parse().map(Some).map_err(|_| not_known("that is no token of a lab"))
}
