//! Who may do what.
//!
//! Deny by default: what is not named here is not allowed. Whether a board is free is
//! [`super::hold`]'s to say.

use protocol::Error;
use protocol::board::BoardName;
use protocol::hold::Hold;
use protocol::user::{Role, UserName, Who};

/// What can be asked of the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Look at boards, consoles, journals.
    See,
    /// Hold a board, wait for one.
    Hold,
    /// Switch a board, type on its console.
    Use,
    /// End somebody else's hold, reload, repair.
    Administer,
}

impl Verb {
    fn needs(self) -> Role {
        match self {
            Verb::See => Role::Viewer,
            Verb::Hold | Verb::Use => Role::User,
            Verb::Administer => Role::Admin,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Verb::See => "look at this lab",
            Verb::Hold => "hold boards",
            Verb::Use => "use boards",
            Verb::Administer => "administer this lab",
        }
    }
}

/// Whether the caller's role allows it.
///
/// # Errors
/// [`Error::NotAllowed`], naming the role it takes.
pub fn may(who: &Who, verb: Verb) -> Result<(), Error> {
    if who.role >= verb.needs() {
        return Ok(());
    }
    Err(refusal(who.name.clone(), verb))
}

/// What somebody is told who may not, or who has no role at all.
pub fn refusal(who: UserName, verb: Verb) -> Error {
    Error::NotAllowed { who, verb: verb.words().to_owned(), needs: verb.needs() }
}

/// Whether the caller may use a board: its holder may, and an administrator. Returns the number of
/// the hold under which they do, if it is theirs.
///
/// # Errors
/// [`Error::NotAllowed`], [`Error::HeldBy`], [`Error::NotHeld`].
pub fn may_use(who: &Who, board: &BoardName, hold: Option<&Hold>) -> Result<Option<u64>, Error> {
    may(who, Verb::Use)?;
    match hold {
        Some(hold) if hold.who == who.name => Ok(Some(hold.number)),
        _ if who.role == Role::Admin => Ok(None),
        Some(hold) => {
            Err(Error::HeldBy { board: board.clone(), who: hold.who.clone(), until: hold.until })
        }
        None => Err(Error::NotHeld { board: board.clone() }),
    }
}
