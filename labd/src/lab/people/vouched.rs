//! What becomes of those for whom somebody else vouches.
//!
//! Whoever began at a terminal has a handle, and a code that they alone see. Whoever comes back from the
//! provider with a browser types that code: so nobody lets somebody else in by following a link. Then the
//! terminal gets a token that is good once, and becomes a certificate as an invitation's does.
//!
//! Somebody of whom the lab has no account is not let in, whoever vouches for them.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::account::{Secret, Token};
use protocol::address::PORT;
use protocol::journal::Event;
use protocol::provider::{Begin, Begun, Offer, Standing};
use protocol::user::{Role, Scope, Who};
use protocol::{Error, Span};

use super::super::{Lab, internal};
use super::attempts::{Look, PATIENCE, Stage, Typed};
use super::identities::named;
use super::tokens::{JOIN, hash, random};
use crate::provider::{self, Challenge, Failure, Person, Provider, Word};
use crate::rules::guard::Source;

/// Where browsers come back to.
pub const CALLBACK: &str = "/login/callback";
/// How often whoever began may ask how it stands.
const INTERVAL: Span = Span::seconds(2);
/// What a code is made of: nothing that looks like another, and no words.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// How many of them, in two halves.
const CODE: usize = 8;

/// What a browser brings back.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub struct Back {
    /// What it was sent with.
    #[serde(default)]
    pub state: String,
    /// What the provider gives a token for,
    pub code: Option<String>,
    /// or why it gives none.
    pub error: Option<String>,
    /// Who it says that it is.
    pub iss: Option<String>,
}

/// Somebody at a browser, of whom it is known who they are.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// What they are called there.
    pub called: String,
    /// By whom it is known.
    pub provider: String,
    /// Their account.
    pub who: String,
    /// Opens nothing but the question whether they began this.
    pub ticket: String,
}

impl Lab {
    /// Who vouches for people to this lab.
    pub fn offers(&self) -> Vec<Offer> {
        self.config().login.iter().map(|it| Offer { name: it.name.clone() }).collect()
    }

    /// Somebody begins to log in.
    ///
    /// # Errors
    /// [`Error::NoSuch`]; [`Error::Busy`] if too many do; [`Error::Device`] if the provider does not answer.
    pub async fn begin_login(&self, from: IpAddr, ask: &Begin) -> Result<Begun, Error> {
        let provider = self.provider(&ask.provider)?;
        let now = self.clock.steady();
        let begun = self.attempts.lock().begin(&provider.name, Source::from(from), now);
        let number = begun.map_err(|_| Error::Busy {
            why: format!("too many of yours are logging in; each takes {PATIENCE} at most"),
        })?;
        match ask.device {
            false => self.send_away(from, &provider, number).await,
            true => self.send_elsewhere(from, &provider, number).await,
        }
    }

    async fn send_away(
        &self,
        from: IpAddr,
        provider: &Provider,
        number: u64,
    ) -> Result<Begun, Error> {
        let challenge = Challenge::new().map_err(internal)?;
        let url = provider.page(&self.callback(), &challenge).await;
        let url = url.map_err(|failure| self.unanswered(from, provider, number, &failure))?;
        let (handle, code) = (text(random()?), code(random()?));
        self.attempts.lock().sent(number, &handle, &code, Stage::Away(challenge));
        let until = self.clock.now() + PATIENCE;
        Ok(Begun { handle, url, code, until, interval: INTERVAL })
    }

    async fn send_elsewhere(
        &self,
        from: IpAddr,
        provider: &Provider,
        number: u64,
    ) -> Result<Begun, Error> {
        let device = provider.device().await;
        let provider::Device { secret, code, url, lasts, interval } =
            device.map_err(|failure| self.unanswered(from, provider, number, &failure))?;
        let handle = text(random()?);
        let next = self.clock.steady() + interval;
        let stage = Stage::Elsewhere { secret, interval, next };
        self.attempts.lock().sent(number, &handle, "", stage);
        let until = self.clock.now() + lasts.min(PATIENCE);
        Ok(Begun { handle, url, code, until, interval })
    }

    /// A browser comes back from a provider.
    ///
    /// # Errors
    /// [`Error::NotKnown`], which is written down.
    pub async fn come_back(&self, from: IpAddr, back: Back) -> Result<Greeting, Error> {
        let claimed = self.attempts.lock().back(&back.state, self.clock.steady());
        let Some((number, provider, challenge)) = claimed else {
            let why =
                "nobody here is logging in with this, or no longer; begin anew at your terminal";
            return Err(self.not_vouched(from, "nobody", why.to_owned()));
        };
        match self.asked(&provider, &challenge, back).await {
            Ok((person, who)) => {
                let (called, ticket) = (person.called.clone(), text(random()?));
                let hash = blake3::hash(ticket.as_bytes());
                let stage = Stage::Unconfirmed { ticket: hash, tries: 0, person };
                self.attempts.lock().put(number, stage);
                Ok(Greeting { called, provider, who, ticket })
            }
            Err(why) => {
                self.attempts.lock().put(number, Stage::Refused(why.clone()));
                Err(self.not_vouched(from, &provider, why))
            }
        }
    }

    async fn asked(
        &self,
        provider: &str,
        challenge: &Challenge,
        back: Back,
    ) -> Result<(Person, String), String> {
        let provider = self.provider(provider).map_err(|error| error.to_string())?;
        let Some(code) = back.code else {
            let said: String = back.error.unwrap_or_default().chars().take(200).collect();
            return Err(format!("{} says no: {}", provider.name, said.escape_debug()));
        };
        let word = Word { code, issuer: back.iss };
        let person = provider.person(&self.callback(), challenge, &word, self.clock.now()).await;
        let person = person.map_err(|failure| refused(&provider.name, &failure))?;
        let who = self.welcome(&provider, &person).await?;
        Ok((person, who.to_string()))
    }

    /// Somebody at a browser types the code that their terminal shows, in whatever way.
    ///
    /// # Errors
    /// [`Error::NotKnown`] if it is another, which is written down.
    pub fn confirm_login(&self, from: IpAddr, ticket: &str, code: &str) -> Result<(), Error> {
        let mut code: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
        code.make_ascii_uppercase();
        code.truncate(CODE);
        if code.len() > CODE / 2 {
            code.insert(CODE / 2, '-');
        }
        let typed = self.attempts.lock().confirm(ticket, &code, self.clock.steady());
        let why = match typed {
            Typed::Right => return Ok(()),
            Typed::Wrong(0) => "that is not the code; begin anew at your terminal".to_owned(),
            Typed::Wrong(left) => format!("that is not the code; you may try {left} times more"),
            Typed::Nowhere => "nobody here is logging in with this, or no longer".to_owned(),
        };
        Err(self.not_vouched(from, "nobody", why))
    }

    /// How it stands, for whoever began.
    ///
    /// # Errors
    /// [`Error::NotKnown`] if there is no such login; [`Error::CannotRecord`].
    pub async fn login_progress(&self, from: IpAddr, handle: &str) -> Result<Standing, Error> {
        let looked = self.attempts.lock().look(handle, self.clock.steady());
        let over = "this login is over, or was never begun; begin anew".to_owned();
        let (provider, look) = looked.ok_or(Error::NotKnown { why: over })?;
        match look {
            Look::Wait(interval) => Ok(Standing::Waiting { interval }),
            // That was written down when it was known.
            Look::Refused(why) => Ok(Standing::Refused { why }),
            Look::Known(person) => self.let_in(from, &provider, &person).await,
            Look::Ask { number, secret, interval } => {
                self.ask_elsewhere(from, &provider, number, (secret, interval)).await
            }
        }
    }

    async fn ask_elsewhere(
        &self,
        from: IpAddr,
        provider: &str,
        number: u64,
        (secret, interval): (String, Span),
    ) -> Result<Standing, Error> {
        let known = self.provider(provider)?;
        let standing = known.typed(&secret, self.clock.now()).await;
        let interval = match standing {
            // RFC 8628, 3.5.
            Ok(provider::Standing::TooFast) => Span(interval.0 + 5_000),
            _ => interval,
        };
        let why = match standing {
            // Who does not answer may the next time.
            Ok(provider::Standing::Waiting | provider::Standing::TooFast)
            | Err(Failure::Silent(_)) => {
                let next = self.clock.steady() + interval;
                let stage = Stage::Elsewhere { secret, interval, next };
                self.attempts.lock().put(number, stage);
                return Ok(Standing::Waiting { interval });
            }
            Ok(provider::Standing::Known(person)) => {
                self.attempts.lock().forget(number);
                match self.welcome(&known, &person).await {
                    Ok(_) => return self.let_in(from, provider, &person).await,
                    Err(why) => why,
                }
            }
            Err(failure) => refused(provider, &failure),
        };
        self.attempts.lock().forget(number);
        self.not_vouched(from, provider, why.clone());
        Ok(Standing::Refused { why })
    }

    /// A token, good once, for somebody of whom it is known who they are.
    async fn let_in(
        &self,
        from: IpAddr,
        provider: &str,
        person: &Person,
    ) -> Result<Standing, Error> {
        let known = self.provider(provider)?;
        let via = format!("https {from} {}", named(&known, &person.identity));
        let name = match self.admit(&known, person, &via).await {
            Ok(name) => name,
            Err(why) => {
                self.not_vouched(from, provider, why.clone());
                return Ok(Standing::Refused { why });
            }
        };
        let who = Who { via: Some(via), ..Who::new(name, Role::Viewer) };
        let secret = Secret::new(random()?);
        let (hash, now) = (hash(&secret), self.clock.now());
        let token = Token {
            id: hash[..8].to_owned(),
            who: who.name.clone(),
            note: Some(format!("login with {provider}")),
            scope: Scope::default(),
            since: now,
            until: now + JOIN,
            once: true,
            joins: true,
            used: None,
            identity: Some(person.identity.clone()),
            exchanged: None,
        };
        let (id, of, what) = (token.id.clone(), who.name.clone(), "made".to_owned());
        let event = Event::Token { id, of, what };
        self.change(&who, event, |people| people.add_token(hash, token, now)).await?;
        Ok(Standing::Known { token: secret })
    }

    fn unanswered(
        &self,
        from: IpAddr,
        provider: &Provider,
        number: u64,
        failure: &Failure,
    ) -> Error {
        let why = refused(&provider.name, failure);
        match failure {
            // That is nobody's attempt.
            Failure::Silent(_) => self.attempts.lock().forget(number),
            // It goes on counting: what anybody can have written down as often as they like fills a disk.
            _ => drop(self.not_vouched(from, &provider.name, why.clone())),
        }
        Error::Device { device: provider.name.clone(), why }
    }

    /// Writes down that somebody was not let in, and why.
    fn not_vouched(&self, from: IpAddr, provider: &str, why: String) -> Error {
        self.turned_away(None, format!("https {from} login with {provider}"), why.clone());
        Error::NotKnown { why }
    }

    /// Where browsers come back to.
    fn callback(&self) -> String {
        let config = self.config();
        let (host, port) = match &config.tls {
            Some(tls) => (tls.name.clone(), tls.port()),
            None => ("localhost".to_owned(), PORT),
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        match port {
            443 => format!("https://{host}{CALLBACK}"),
            port => format!("https://{host}:{port}{CALLBACK}"),
        }
    }
}

/// What strangers are told of a failure. How this machine asks a provider is none of their business.
fn refused(provider: &str, failure: &Failure) -> String {
    match failure {
        Failure::Silent(_) => {
            tracing::warn!(provider, %failure, "a provider does not answer");
            format!("{provider} does not answer; try again, or tell the lab's administrator")
        }
        _ => format!("{provider}: {failure}"),
    }
}

fn text(bits: [u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(bits)
}

/// `BCDF-GHJK`
fn code(bits: [u8; 32]) -> String {
    // 240 is a multiple of 20: none is more likely than another.
    let fair = bits.into_iter().filter(|bit| *bit < 240).take(CODE);
    let letters = fair.map(|bit| char::from(LETTERS[usize::from(bit) % LETTERS.len()]));
    let mut code: String = letters.collect();
    code.insert(CODE / 2, '-');
    code
}
