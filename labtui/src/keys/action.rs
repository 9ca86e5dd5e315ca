//! What a key can do.

use crate::grid::Reach;
use crate::past::Mark;

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Moves in what has the focus.
    Move(Move),
    /// Shows the board's details.
    Open,
    /// Gives the next pane the focus.
    NextPane,
    /// Gives the pane before the focus.
    PreviousPane,
    /// Gives the pane with this number the focus.
    Pane(u8),
    /// Shows the pane alone, or all of them again.
    Zoom,
    /// Asks for a hold.
    Reserve,
    /// Ends a hold.
    Release,
    /// Makes a hold last longer.
    Extend,
    /// Offers what can be done to the outlet.
    Power,
    /// Switches back what was just switched.
    Undo,
    /// Offers what can be copied.
    Copy,
    /// Attaches to the console.
    Console,
    /// Shows the consoles of marked boards side by side.
    Consoles,
    /// Gives the pane on that side the focus.
    Toward(Side),
    /// Types on consoles that are side by side.
    Type(Reach),
    /// Shows holds and the queue against time.
    Calendar,
    /// Scrolls back to now.
    Now,
    /// Starts to type a filter.
    Filter,
    /// The next board that the filter finds.
    NextMatch,
    /// The one before.
    PreviousMatch,
    /// Marks the board, or takes its mark away.
    Mark,
    /// Begins a range of marks, or ends it.
    MarkRange,
    /// Orders the table by the next column.
    Sort,
    /// Turns the order around.
    Reverse,
    /// Starts to type a command.
    Palette,
    /// Goes where one was before.
    LastView,
    /// Offers the labs that one has logged in to.
    Labs,
    /// Shows what was said.
    Messages,
    /// Shows how each board fared that was asked together with others.
    Report,
    /// Takes the mouse, or leaves it to the terminal.
    Mouse,
    /// Shows the keys.
    Help,
    /// Looks for a word among the keys.
    Search,
    /// Goes back one level; at the root, takes marks and filter away.
    Back,
    /// Goes back one level; at the root, quits.
    Leave,
    /// Takes the text or the answer.
    Accept,
    /// Forgets the text or the answer.
    Cancel,
    /// Takes the last letter away.
    Erase,
    /// Takes the whole text away.
    EraseAll,
    /// The next way to complete what is typed.
    Complete,
    /// The way before.
    CompleteBack,
    /// What was typed before.
    Earlier,
    /// What was typed after that.
    Later,
    /// The next answer.
    NextChoice,
    /// The answer before.
    PreviousChoice,
    /// Leaves the console.
    Detach,
    /// Sends the prefix itself to the board.
    Literal,
    /// Asks for the pen.
    AskPen,
    /// Hands the pen to who asks for it.
    GrantPen,
    /// Keeps the pen that somebody asks for.
    KeepPen,
    /// Lets who asks for the pen type as well, or ends that.
    PairPen,
    /// Takes the pen, and asks for the reason.
    ForcePen,
    /// Tells who is there.
    Who,
    /// Sends a BREAK.
    Break,
    /// Attaches to the next board's console.
    NextConsole,
    /// Attaches to the console before.
    PreviousConsole,
    /// Shows what the board printed before.
    Scrollback,
    /// Starts to type what to look for in the console's history.
    SearchPast,
    /// The line before that has it.
    OlderHit,
    /// The line after that has it.
    NewerHit,
    /// The console as it looked at the mark before.
    Older(Mark),
    /// The console as it looked at the mark after.
    Newer(Mark),
    /// Starts to type what to look for on all consoles.
    SearchLab,
    /// Shows the board's boots.
    Boots,
    /// Shows the console as it was at the marked row.
    Jump,
    /// Paints the whole screen again.
    Redraw,
    /// Stops the program until the shell continues it.
    Suspend,
    /// Ends the program.
    Quit,
}

/// A movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// Half a page up.
    HalfUp,
    /// Half a page down.
    HalfDown,
    /// To the first line.
    First,
    /// To the last line.
    Last,
}

/// Where a pane is, seen from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// Above it.
    Above,
    /// Below it.
    Below,
}

impl Action {
    /// Whether the lab or a board is another afterwards; these are not there for who only reads.
    pub fn changes_the_lab(self) -> bool {
        use Action::*;
        matches!(
            self,
            Reserve
                | Release
                | Extend
                | Power
                | Undo
                | Literal
                | AskPen
                | GrantPen
                | KeepPen
                | PairPen
                | ForcePen
                | Break
                | Type(_)
        )
    }
}
