//! What a decision changed.

use protocol::board::BoardName;
use protocol::hold::{Ended, Hold, Want};
use protocol::user::UserName;

use super::Waiting;

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// Somebody has a board now, or will have when it is prepared.
    Reserved {
        /// The hold.
        hold: Hold,
        /// The place it came from.
        place: Option<Waiting>,
    },
    /// Its setup is done.
    Prepared {
        /// The hold.
        hold: Hold,
    },
    /// Somebody waits, or waits for less than before.
    Queued {
        /// The place's number.
        place: u64,
        /// Whose.
        who: UserName,
        /// For what.
        want: Want,
    },
    /// Somebody waits no more, and has nothing.
    Unqueued {
        /// The place's number.
        place: u64,
        /// Whose.
        who: UserName,
        /// For what.
        want: Want,
        /// Why, if they did not give it up themselves.
        why: Option<&'static str>,
    },
    /// A hold lasts longer.
    Extended {
        /// The hold as it is now.
        hold: Hold,
    },
    /// A hold ends soon.
    Ending {
        /// The hold.
        hold: Hold,
    },
    /// A hold is over. The board may still have to be cleaned.
    Ended {
        /// The hold.
        hold: Hold,
        /// How.
        how: Ended,
    },
    /// A board is clean, and nobody has it.
    Freed {
        /// The board.
        board: BoardName,
    },
}
