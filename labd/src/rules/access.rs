//! Who may do what: the one function that says so, for every door.
//!
//! Deny by default: a verb is allowed to a role, and everything else that is asked must also be so.
//! Whether a board is free is [`super::hold`]'s to say, who somebody is [`super::people`]'s.

use std::fmt::Arguments;

use protocol::Error;
use protocol::account::May;
use protocol::board::BoardName;
use protocol::hold::Hold;
use protocol::user::{Role, UserName, Verb, Who};

#[cfg(test)]
mod tests;

/// A board, as far as it matters for who may do something with it.
#[derive(Debug, Clone, Copy)]
pub struct On<'a> {
    /// Its name.
    pub board: &'a BoardName,
    /// Its class.
    pub class: &'a str,
    /// Whose it is; everybody's if there are none.
    pub groups: &'a [String],
    /// The hold that lasts.
    pub hold: Option<&'a Hold>,
    /// The number of the hold under which its holder lets whoever asks type, if they do.
    pub lent: Option<u64>,
}

/// The least role that may.
pub fn needs(verb: Verb) -> Role {
    match verb {
        Verb::See => Role::Viewer,
        Verb::Hold | Verb::Type | Verb::Power | Verb::Tunnel | Verb::Flash => Role::Machine,
        Verb::Share => Role::User,
        Verb::Moderate => Role::Moderator,
        Verb::Administer => Role::Admin,
    }
}

/// Who must hold the board.
enum Holder {
    /// Nobody in particular.
    Anybody,
    /// Whoever asks, unless they administer the lab.
    OrAdmin,
    /// Whoever asks: what is opened ends with the hold.
    Only,
}

fn holder(verb: Verb) -> Holder {
    match verb {
        Verb::See | Verb::Hold | Verb::Share | Verb::Moderate | Verb::Administer => Holder::Anybody,
        Verb::Type | Verb::Power | Verb::Flash => Holder::OrAdmin,
        Verb::Tunnel => Holder::Only,
    }
}

/// Whether `who` may do it in this lab at all.
///
/// # Errors
/// [`Error::NotAllowed`], [`Error::OutOfScope`].
pub fn may(who: &Who, verb: Verb) -> Result<(), Error> {
    judge(who, verb, None, |_| {}).map(drop)
}

/// Whether `who` may do it with a board. Returns the number of the hold under which they do, if it
/// takes one and it is theirs.
///
/// # Errors
/// [`Error::NotAllowed`], [`Error::OutOfScope`], [`Error::HeldBy`], [`Error::NotHeld`];
/// [`Error::NoSuch`] for a board of groups that they are not in.
pub fn may_on(who: &Who, verb: Verb, on: On<'_>) -> Result<Option<u64>, Error> {
    judge(who, verb, Some(on), |_| {})
}

/// Whether a board is there at all for `who`.
pub fn sees(who: &Who, on: On<'_>) -> bool {
    who.scope.has_board(on.board, on.class) && is_theirs(who, on.groups)
}

/// What somebody is told whose role does not allow it, or who has none at all.
pub fn refusal(who: UserName, verb: Verb) -> Error {
    let words = match verb {
        Verb::See => "look at this lab",
        Verb::Hold => "hold boards",
        Verb::Type | Verb::Power | Verb::Tunnel | Verb::Flash => "use boards",
        Verb::Share => "hand boards over, or have tokens and keys",
        Verb::Moderate => "moderate this lab",
        Verb::Administer => "administer this lab",
    };
    // A program's role is nothing that a person would ask for.
    let needs = if needs(verb) == Role::Machine { Role::User } else { needs(verb) };
    Error::NotAllowed { who, verb: words.to_owned(), needs }
}

/// The same as [`may`] and [`may_on`], with what was looked at.
pub fn explain(who: &Who, verb: Verb, on: Option<On<'_>>) -> May {
    let mut because = Vec::new();
    let outcome = judge(who, verb, on, |looked_at| because.push(looked_at.to_string()));
    because.extend(outcome.as_ref().err().map(|why| match (why, on) {
        // Who asks may be somebody else, for whom the board is there.
        (Error::NoSuch { .. }, Some(on)) => {
            let groups = on.groups.join(", ");
            format!("{} is for {groups}, and {} is in no such group", on.board, who.name)
        }
        (Error::NotHeld { board }, _) => format!("{} does not hold {board}", who.name),
        (why, _) => why.to_string(),
    }));
    May { allowed: outcome.is_ok(), because }
}

/// Whether one of those groups is theirs; a board without groups is everybody's.
pub fn is_theirs(who: &Who, groups: &[String]) -> bool {
    groups.is_empty()
        || who.role >= Role::Moderator
        || groups.iter().any(|group| who.groups.contains(group))
}

/// Looks at one thing after the other; `told` hears of each that is as it must be.
fn judge(
    who: &Who,
    verb: Verb,
    on: Option<On<'_>>,
    mut told: impl FnMut(Arguments<'_>),
) -> Result<Option<u64>, Error> {
    let (name, role, needs) = (&who.name, who.role, needs(verb));
    if role < needs {
        return Err(refusal(name.clone(), verb));
    }
    told(format_args!("{name} has the role '{role}', and to {verb} takes '{needs}'"));
    if !who.scope.has_verb(verb) {
        return Err(Error::OutOfScope { what: format!("the verb {verb}") });
    }
    let Some(on) = on else {
        // Who names boards does not mean all of them, with everybody's accounts.
        let is_for_all = matches!(verb, Verb::Moderate | Verb::Administer);
        return match who.scope.has_all_boards() || !is_for_all {
            true => Ok(None),
            false => Err(Error::OutOfScope { what: "the whole lab".to_owned() }),
        };
    };
    if !who.scope.has_board(on.board, on.class) {
        return Err(Error::OutOfScope { what: on.board.to_string() });
    }
    if !who.scope.is_open() {
        told(format_args!("the token with which {name} came opens it"));
    }
    if !is_theirs(who, on.groups) {
        // It is not there for them, and nobody says that it is there for others.
        let (what, name) = ("board".to_owned(), on.board.to_string());
        return Err(Error::NoSuch { what, name, near: None });
    }
    match on.groups {
        [] => told(format_args!("{} is everybody's", on.board)),
        groups => told(format_args!("{} is for {}", on.board, groups.join(", "))),
    }
    let theirs = on.hold.filter(|hold| hold.who == *name);
    match (holder(verb), theirs, on.hold) {
        (Holder::Anybody, _, _) => Ok(None),
        (_, Some(hold), _) => {
            told(format_args!("{name} holds {}", on.board));
            Ok(Some(hold.number))
        }
        (Holder::OrAdmin, None, _) if role == Role::Admin => {
            told(format_args!("an administrator may without holding it"));
            Ok(None)
        }
        (_, None, Some(hold)) if verb == Verb::Type && on.lent == Some(hold.number) => {
            told(format_args!("{} lets {name} type at {}", hold.who, on.board));
            Ok(Some(hold.number))
        }
        (_, None, Some(hold)) => {
            let (board, who, until) = (hold.board.clone(), hold.who.clone(), hold.until);
            Err(Error::HeldBy { board, who, until })
        }
        (_, None, None) => Err(Error::NotHeld { board: on.board.clone() }),
    }
}
