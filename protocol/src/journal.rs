//! The timeline: everything that happened to a board, in one order.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::board::BoardName;
use crate::boot::{Cause, Outcome, Seconds};
use crate::console::LineErrors;
use crate::hold::{Ended, Want};
use crate::power::{PowerAsk, PowerState};
use crate::send::Way;
use crate::time::{Span, Time};
use crate::user::{UserName, Verb};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Its place in the lab's one sequence, counted from 1 without a gap.
    pub seq: u64,
    /// When, by the lab's clock.
    pub at: Time,
    /// Who did it, or asked for it; nobody, if the lab did it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<UserName>,
    /// Where they came from and with what, see [`crate::user::Who::via`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// With which request: all entries of one have its number, which counts from the start of labd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<u64>,
    /// To which board; none, if to the lab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<BoardName>,
    /// How many bytes the board's console had printed by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// What.
    pub event: Event,
}

/// Somebody who does something, as an entry has them; nobody, if the lab does it by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct By {
    /// See [`Entry::who`].
    #[serde(default)]
    pub who: Option<UserName>,
    /// See [`Entry::via`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// See [`Entry::request`]. Another labd's number would mean another request.
    #[serde(skip)]
    pub request: Option<u64>,
}

impl By {
    /// Whether this is the same person, come the same way, if perhaps with another request.
    pub fn is_also(&self, other: &By) -> bool {
        (&self.who, &self.via) == (&other.who, &other.via)
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// labd started.
    Started {
        /// Its version.
        version: String,
    },
    /// labd was asked to stop, and did.
    Stopped,
    /// A changed configuration was taken over.
    Reloaded {
        /// A sentence for each change.
        changes: Vec<String>,
    },
    /// The machine's clock was set; holds last as long as they would have.
    ClockStepped {
        /// By how many milliseconds, forwards if positive.
        by_ms: i64,
    },
    /// Somebody has the board now.
    Reserved {
        /// The hold's number.
        number: u64,
        /// Its end.
        until: Time,
        /// Since when they had waited, if they had.
        #[serde(default)]
        waited_since: Option<Time>,
        /// What it is for.
        #[serde(default)]
        note: Option<String>,
    },
    /// Somebody waits for a board.
    Queued {
        /// The place's number.
        place: u64,
        /// What they want.
        want: Want,
    },
    /// Somebody waits no more.
    Unqueued {
        /// The place's number.
        place: u64,
        /// Why, if they did not give it up themselves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A hold lasts longer.
    Extended {
        /// The hold's number.
        number: u64,
        /// Its new end.
        until: Time,
    },
    /// A hold will end soon.
    Ending {
        /// The hold's number.
        number: u64,
        /// Its end.
        until: Time,
    },
    /// A hold is over.
    Ended {
        /// The hold's number.
        number: u64,
        /// Whose it was.
        holder: UserName,
        /// How it ended.
        how: Ended,
    },
    /// Nobody has the board, and it is clean.
    Freed,
    /// The setup script was started. What became of it is the next entry of this hold.
    SetupBegan {
        /// The hold's number.
        number: u64,
        /// `reserve` or `release`.
        verb: String,
    },
    /// The setup script did its work.
    SetupDone {
        /// The hold's number.
        number: u64,
        /// `reserve` or `release`.
        verb: String,
    },
    /// The setup script did not do its work.
    SetupFailed {
        /// The hold's number.
        number: u64,
        /// `reserve` or `release`.
        verb: String,
        /// How: its exit status, bad JSON, out of time.
        why: String,
        /// The end of what it printed.
        output: String,
    },
    /// Somebody asked for power to change.
    PowerAsked {
        /// For what.
        ask: PowerAsk,
    },
    /// The outlet was told.
    PowerSent {
        /// On or off.
        to: PowerState,
    },
    /// A cycle goes on: the board stays off for a while, or is to be on again.
    PowerStep {
        /// Off or on.
        to: PowerState,
    },
    /// The outlet was seen in another state than before.
    PowerSeen {
        /// Which.
        state: PowerState,
    },
    /// What was asked is done and seen to be done.
    PowerDone {
        /// What.
        ask: PowerAsk,
    },
    /// What was asked could not be done.
    PowerFailed {
        /// What.
        ask: PowerAsk,
        /// Why.
        why: String,
    },
    /// The console's device is open.
    ConsoleOpened,
    /// The console's device is gone.
    ConsoleLost {
        /// Why.
        why: String,
    },
    /// Somebody has the pen.
    PenTaken {
        /// Their session.
        session: u64,
    },
    /// Somebody would like the pen.
    PenAsked {
        /// Their session.
        session: u64,
        /// Who has it.
        of: UserName,
    },
    /// Somebody took the pen from somebody.
    PenForced {
        /// The taker's session.
        session: u64,
        /// Who had it.
        from: UserName,
        /// Why.
        reason: String,
    },
    /// Nobody has the pen, or the next in line has it.
    PenDropped {
        /// Who had it.
        session: u64,
    },
    /// Who had the pen handed it to somebody.
    PenGranted {
        /// Whose session has it now.
        session: u64,
        /// Who.
        to: UserName,
    },
    /// Who has the pen keeps it.
    PenKept {
        /// Who had asked for it.
        from: Vec<UserName>,
    },
    /// Who had the pen did not answer in time, and did not type: somebody who asked has it now.
    PenPassed {
        /// Whose session has it now.
        session: u64,
        /// Who had it.
        from: UserName,
    },
    /// Who has the pen lets somebody type as well.
    Paired {
        /// Whose session.
        session: u64,
        /// Who.
        with: UserName,
    },
    /// Two no longer type together.
    Parted {
        /// Who typed as well.
        with: UserName,
    },
    /// Something was typed on the console.
    Typed {
        /// What, with control characters escaped; none if the board did not echo it, since it may
        /// have been a password.
        #[serde(default)]
        text: Option<String>,
        /// How many bytes.
        bytes: u64,
    },
    /// A BREAK was sent on the console.
    Break,
    /// Something went wrong on the console's line: all since the last of these.
    LineErrors {
        /// What.
        errors: LineErrors,
        /// Among how many bytes.
        bytes: u64,
    },
    /// A named sequence was sent on the console.
    Signalled {
        /// Its name in labd.conf.
        name: String,
    },
    /// Somebody begins to send a file through the console.
    SendBegan {
        /// Its name.
        file: String,
        /// Its size.
        bytes: u64,
        /// How.
        way: Way,
    },
    /// The board has taken the whole file.
    Sent {
        /// Its name.
        file: String,
    },
    /// The board has not taken the file.
    SendFailed {
        /// Its name.
        file: String,
        /// How many of its bytes it has taken.
        at: u64,
        /// Why.
        why: String,
    },
    /// Somebody wrote something down.
    Noted {
        /// What.
        text: String,
    },
    /// An account was changed.
    Account {
        /// Whose.
        name: UserName,
        /// What is so now: `role user for good`, `in group lab`, `removed`.
        what: String,
    },
    /// A token was made, or revoked.
    Token {
        /// Which.
        id: String,
        /// Whose.
        of: UserName,
        /// `made`, `revoked`, `used`; `added`, `removed`.
        what: String,
    },
    /// An ssh key was added, or removed.
    Key {
        /// Which.
        fingerprint: String,
        /// Whose.
        of: UserName,
        /// `made`, `revoked`, `used`; `added`, `removed`.
        what: String,
    },
    /// A certificate was made, or revoked.
    Login {
        /// Which.
        id: String,
        /// Whose.
        of: UserName,
        /// `made`, `revoked`.
        what: String,
    },
    /// Somebody was not allowed what they asked for.
    Denied {
        /// What.
        verb: Verb,
        /// Why not.
        why: String,
    },
    /// The ledger let go of its oldest entries, as the configuration says.
    Forgotten {
        /// The number of the last that is gone.
        last: u64,
    },
    /// Somebody reached a network service of the board's through the lab.
    Tunnelled {
        /// Which: its address and port.
        to: String,
    },
    /// Somebody asked for what another's job does already, and waits for that.
    PowerJoined {
        /// For what.
        ask: PowerAsk,
    },
    /// The board began to boot.
    BootBegan {
        /// The boot's number.
        number: u64,
        /// What began it.
        cause: Cause,
    },
    /// A boot has reached a stage.
    BootReached {
        /// The boot's number.
        number: u64,
        /// Which stage.
        stage: String,
        /// How long after the boot began.
        after: Span,
    },
    /// A boot stays in a stage for longer than those of its class do.
    BootHung {
        /// The boot's number.
        number: u64,
        /// Which stage; none is before the first.
        #[serde(default)]
        stage: Option<String>,
        /// How long 99 of 100 stay there at most.
        usual: Span,
    },
    /// A boot is over.
    BootEnded {
        /// The boot's number.
        number: u64,
        /// What became of it.
        outcome: Outcome,
        /// How long after it began.
        after: Span,
    },
    /// The console showed a panic of a board that was not booting.
    Panicked,
    /// The console showed what a trigger waits for.
    Matched {
        /// The trigger's name.
        trigger: String,
        /// The line so far.
        text: String,
    },
    /// A trigger does nothing for a while: it matched too often.
    Muted {
        /// The trigger's name.
        trigger: String,
        /// For how long.
        span: Span,
    },
    /// Said by a newer daemon.
    #[serde(other)]
    Unknown,
}

impl Event {
    /// The instant that the sentence leads up to: when a hold ends. A program appends it in its
    /// reader's own time zone, which is not known here.
    pub fn until(&self) -> Option<Time> {
        match self {
            Event::Reserved { until, .. }
            | Event::Extended { until, .. }
            | Event::Ending { until, .. } => Some(*until),
            _ => None,
        }
    }
}

/// What happened, as a sentence that follows the entry's `who` and a colon, or the board's name. An
/// instant belongs after it, see [`Event::until`]. Texts are as they were given: whoever prints the sentence
/// on a terminal takes control characters out.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Started { version } => write!(f, "labd {version} started"),
            Event::Stopped => write!(f, "labd stopped"),
            Event::Reloaded { changes } if changes.is_empty() => {
                write!(f, "read the configuration again; nothing changed")
            }
            Event::Reloaded { changes } => {
                write!(f, "changed the configuration: {}", changes.join("; "))
            }
            Event::ClockStepped { by_ms } => {
                let way = if *by_ms < 0 { "back" } else { "forward" };
                let span = crate::Span::millis(by_ms.unsigned_abs());
                write!(f, "the machine's clock was set {way} by {span}")
            }
            Event::Reserved { note: Some(note), .. } => write!(f, "reserved it for {note}"),
            Event::Reserved { note: None, .. } => write!(f, "reserved it"),
            Event::Queued { want, .. } => write!(f, "waits for {want}"),
            Event::Unqueued { why: Some(why), .. } => write!(f, "waits no more: {why}"),
            Event::Unqueued { why: None, .. } => write!(f, "waits no more"),
            Event::Extended { .. } => write!(f, "extended the hold"),
            Event::Ending { .. } => write!(f, "the hold will end soon"),
            Event::Ended { holder, how, .. } => write!(f, "the hold of {holder} is over: {how}"),
            Event::Freed => write!(f, "is free and clean"),
            Event::SetupBegan { verb, .. } => write!(f, "the setup script began to {verb}"),
            Event::SetupDone { verb, .. } => write!(f, "the setup script is done: {verb}"),
            Event::SetupFailed { verb, why, .. } => {
                write!(f, "the setup script failed to {verb}: {why}")
            }
            Event::PowerAsked { ask } => write!(f, "asked for power {ask}"),
            Event::PowerJoined { ask } => write!(f, "also asked for power {ask}"),
            Event::PowerSent { to } => write!(f, "the outlet was told to be {to}"),
            Event::PowerStep { to: PowerState::Off } => {
                write!(f, "the cycle goes on: power stays off for a while")
            }
            Event::PowerStep { to } => write!(f, "the cycle goes on: power is to be {to}"),
            Event::PowerSeen { state } => write!(f, "power was seen to be {state}"),
            Event::PowerDone { ask } => write!(f, "power {ask} is done"),
            Event::PowerFailed { ask, why } => write!(f, "power {ask} failed: {why}"),
            Event::ConsoleOpened => write!(f, "the console is open"),
            Event::ConsoleLost { why } => write!(f, "the console is gone: {why}"),
            Event::PenTaken { .. } => write!(f, "has the pen"),
            Event::PenAsked { of, .. } => write!(f, "asked {of} for the pen"),
            Event::PenForced { from, reason, .. } => {
                write!(f, "took the pen from {from}: {reason}")
            }
            Event::PenDropped { .. } => write!(f, "gave up the pen"),
            Event::PenGranted { to, .. } => write!(f, "handed the pen to {to}"),
            Event::PenKept { from } => {
                let names: Vec<_> = from.iter().map(|name| name.as_str()).collect();
                write!(f, "keeps the pen that {} asked for", names.join(", "))
            }
            Event::PenPassed { from, .. } => {
                write!(f, "has the pen, since {from} did not answer")
            }
            Event::Paired { with, .. } => write!(f, "lets {with} type as well"),
            Event::Parted { with } => write!(f, "types no longer together with {with}"),
            Event::Typed { text: Some(text), .. } => write!(f, "typed {text}"),
            Event::Typed { text: None, bytes: 1 } => write!(f, "typed 1 byte that was not echoed"),
            Event::Typed { text: None, bytes } => {
                write!(f, "typed {bytes} bytes that were not echoed")
            }
            Event::Break => write!(f, "sent a BREAK"),
            Event::LineErrors { errors, bytes } => {
                write!(f, "the console's line is not clean: {errors} in {bytes} bytes")
            }
            Event::Signalled { name } => write!(f, "sent {name}"),
            Event::SendBegan { file, bytes, way } => {
                write!(f, "began to send {file}, {bytes} bytes, by {way}")
            }
            Event::Sent { file } => write!(f, "sent {file}"),
            Event::SendFailed { file, at, why } => {
                write!(f, "could not send {file}, at byte {at}: {why}")
            }
            Event::Noted { text } => write!(f, "noted: {text}"),
            Event::Account { name, what } => write!(f, "changed the account {name}: {what}"),
            Event::Token { id, of, what } => write!(f, "{what} the token {id} of {of}"),
            Event::Key { fingerprint, of, what } => {
                write!(f, "{what} the key {fingerprint} of {of}")
            }
            Event::Login { id, of, what } => write!(f, "{what} the certificate {id} of {of}"),
            Event::Tunnelled { to } => write!(f, "opened a tunnel to {to}"),
            Event::Denied { verb, why } => write!(f, "may not {verb}: {why}"),
            Event::Forgotten { last } => write!(f, "let go of the entries up to {last}"),
            Event::BootBegan { number, cause: Cause::Power } => {
                write!(f, "boot {number} began: power came on")
            }
            Event::BootBegan { number, cause: Cause::Reset } => {
                write!(f, "boot {number} began: it was reset")
            }
            Event::BootBegan { number, .. } => write!(f, "boot {number} began: by itself"),
            Event::BootReached { number, stage, after } => {
                write!(f, "boot {number} reached {stage} after {}", Seconds(*after))
            }
            Event::BootHung { number, stage: Some(stage), usual } => {
                write!(
                    f,
                    "boot {number} hangs in {stage}, where others stay {} at most",
                    Seconds(*usual)
                )
            }
            Event::BootHung { number, stage: None, usual } => {
                write!(f, "boot {number} hangs: others say something within {}", Seconds(*usual))
            }
            Event::BootEnded { number, outcome, after } => {
                write!(f, "boot {number}: {outcome} after {}", Seconds(*after))
            }
            Event::Panicked => write!(f, "it panicked"),
            Event::Matched { trigger, text } => write!(f, "{trigger} matched: {text}"),
            Event::Muted { trigger, span } => {
                write!(f, "{trigger} matches too often, and does nothing for {span}")
            }
            Event::Unknown => write!(f, "something that this version does not know"),
        }
    }
}
