//! Whom a door has before it, and what they came in with.

use protocol::user::{Role, UserName};

/// Somebody at a door, as the door established it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Their name.
    pub name: UserName,
    /// The role that the door vouches for: root's and labd's own user's.
    pub role: Option<Role>,
    /// Whether the system knows them.
    pub is_of_system: bool,
    /// Their groups in the system.
    pub groups: Vec<String>,
    /// What they came in with.
    pub proof: Proof,
    /// Where they came from and with what, for the timeline.
    pub via: String,
}

impl Peer {
    /// Somebody whom the lab's own surroundings vouch for.
    pub fn vouched(name: UserName, role: Role) -> Peer {
        Peer { role: Some(role), ..Peer::new(name, Proof::System, "here".to_owned()) }
    }

    /// Somebody of whom no more is known than what they came in with.
    pub fn new(name: UserName, proof: Proof, via: String) -> Peer {
        Peer { name, role: None, is_of_system: false, groups: Vec::new(), proof, via }
    }
}

/// What somebody came in with; it must still be good at each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The system says who they are.
    System,
    /// A token, by its hash.
    Token(String),
    /// An ssh key, by its fingerprint.
    Key(String),
    /// A certificate of the lab's own authority, by its hash.
    Login(String),
    /// The same, for what was opened while it was good, and goes on after its end; not after it is revoked.
    Entered(String),
}

impl Proof {
    /// What tells it from others of the same person.
    pub fn mark(&self) -> &str {
        match self {
            Proof::System => "",
            Proof::Token(hash) | Proof::Key(hash) | Proof::Login(hash) | Proof::Entered(hash) => {
                hash
            }
        }
    }

    /// As it counts for what is opened with it, and cannot be opened anew and go on.
    #[must_use]
    pub fn entered(self) -> Proof {
        if let Proof::Login(hash) = self { Proof::Entered(hash) } else { self }
    }

    /// The hash of a token, if it is one.
    pub(super) fn token(&self) -> Option<&str> {
        if let Proof::Token(hash) = self { Some(hash) } else { None }
    }

    /// The hash of a certificate, if it is one.
    pub(super) fn login(&self) -> Option<&str> {
        if let Proof::Login(hash) = self { Some(hash) } else { None }
    }
}
