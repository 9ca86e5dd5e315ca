//! How long a text may be that people hand to a lab; labd refuses what is longer at its door.
//!
//! What one of them writes is shown to the others: a thousand holds, each with the longest note, fit
//! into one answer.

use crate::error::Error;
use crate::hold::{Ask, Want};

/// What a hold is for, in bytes; the others are bytes, too.
pub const NOTE: usize = 500;
/// A note on the timeline.
pub const REMARK: usize = 4 * 1024;
/// Why a hold is broken, or a pen taken.
pub const REASON: usize = 500;
/// An expression over tags. How deep it may nest is [`crate::tags`]' own.
pub const TAGS: usize = 500;
/// The name of a class.
pub const NAME: usize = 200;
/// The name of a file.
pub const FILE: usize = 100;
/// An ssh public key; RSA of 16,384 bits takes 2,800 letters.
pub const KEY: usize = 8 * 1024;

/// Whether a wish for a board is short enough.
///
/// # Errors
/// [`Error::Bad`], saying how long it may be; so do the others.
pub fn ask(ask: &Ask) -> Result<(), Error> {
    want(&ask.want)?;
    at_most(KEY, "an ssh public key", ask.ssh_key.as_deref().unwrap_or_default())?;
    at_most(NOTE, "what a hold is for", ask.note.as_deref().unwrap_or_default())
}

/// The most boards that a wish names.
const BOARDS: usize = 256;

/// Whether it is short enough, which board is wanted.
///
/// # Errors
/// As [`ask`].
pub fn want(wish: &Want) -> Result<(), Error> {
    match wish {
        Want::Board { .. } => Ok(()),
        Want::Class { name } => at_most(NAME, "the name of a class", name),
        Want::Tags { expr } => at_most(TAGS, "an expression over tags", &expr.to_string()),
        Want::Among { boards, .. } if boards.len() > BOARDS => {
            let why =
                format!("a wish names at most {BOARDS} boards; this one has {}", boards.len());
            Err(Error::Bad { why })
        }
        Want::Among { want: inner, .. } => want(inner),
    }
}

/// Whether a reason is short enough.
///
/// # Errors
/// As [`ask`].
pub fn reason(text: &str) -> Result<(), Error> {
    at_most(REASON, "a reason", text)
}

/// Whether a file's name is short enough.
///
/// # Errors
/// As [`ask`].
pub fn file(name: &str) -> Result<(), Error> {
    at_most(FILE, "the name of a file", name)
}

/// Whether a note on the timeline is short enough.
///
/// # Errors
/// As [`ask`].
pub fn remark(text: &str) -> Result<(), Error> {
    at_most(REMARK, "a note", text)
}

fn at_most(most: usize, what: &str, text: &str) -> Result<(), Error> {
    if text.len() > most {
        return Err(Error::Bad { why: format!("{what} has at most {most} bytes") });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::board::{Board, State};
    use crate::hold::{Hold, MOST_OBSTACLES, Obstacle, Place};
    use crate::time::{Span, Time};
    use crate::wire::LARGEST_FRAME;

    use super::*;

    /// What takes most room in JSON: `\u0001`.
    const WORST: &str = "\u{1}";

    fn size(of: &impl serde::Serialize) -> usize {
        serde_json::to_vec(of).expect("JSON").len()
    }

    #[test]
    fn a_thousand_rows_and_a_thousand_places_fit_into_an_answer_whatever_people_write() {
        let (board, who) = ("b".repeat(64), "u".repeat(64));
        let (board, who) = (|| board.parse().expect("a name"), || who.parse().expect("a name"));
        let hold = Hold {
            number: u64::MAX,
            board: board(),
            who: who(),
            since: Time(u64::MAX),
            until: Time(u64::MAX),
            grace: Some(Span(u64::MAX)),
            note: Some(WORST.repeat(NOTE)),
            place: Some(u64::MAX),
        };
        let row = Board {
            hold: Some(hold),
            tags: vec!["t".repeat(1_000)],
            last_line: "\u{10ffff}".repeat(512),
            fault: Some("f".repeat(1_000)),
            state: State::Preparing,
            ..Board::gone(board())
        };
        assert!(size(&row) * 1_000 < LARGEST_FRAME, "{}", size(&row));
        let obstacle = Obstacle { board: board(), who: who(), until: Time(u64::MAX) };
        let place = Place {
            number: u64::MAX,
            who: who(),
            want: Want::Tags { expr: WORST.repeat(TAGS).parse().expect("a tag") },
            span: Some(Span(u64::MAX)),
            since: Time(u64::MAX),
            position: u32::MAX,
            expected: Some(Time(u64::MAX)),
            because: vec![obstacle; MOST_OBSTACLES],
        };
        assert!(want(&place.want).is_ok());
        assert!(size(&place) * 1_000 < LARGEST_FRAME, "{}", size(&place));
    }
}
