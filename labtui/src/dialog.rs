//! Questions to the person at the screen: some are answered by a choice, some by a text.

use protocol::address::Address;
use protocol::board::BoardName;
use protocol::console::PenAsk;
use protocol::hold::Release;
use protocol::power::PowerAsk;
use protocol::{Span, Time};

use crate::batch::Batch;
use crate::call::Call;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialog {
    /// Answered by one of a few.
    Choice(Choice),
    /// Answered by a text.
    Question(Question),
}

/// A question with a few answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is asked.
    pub title: String,
    /// What should be known before answering.
    pub about: String,
    /// The answers, and what each leads to.
    pub answers: Vec<(String, Step)>,
    /// Which one Enter takes.
    pub marked: usize,
}

/// What an answer leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// A call.
    Call(Call),
    /// Power, which may have to be confirmed.
    Power(BoardName, PowerAsk),
    /// Power of all marked boards, which may have to be confirmed.
    PowerAll(PowerAsk),
    /// Many calls at once.
    Together(Batch),
    /// Typing on all consoles that are side by side.
    TypeOnAll,
    /// A text for other programs.
    Copy(String),
    /// Another lab.
    Go(Address),
}

/// A question answered by a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is asked.
    pub title: String,
    /// What should be known before answering.
    pub about: String,
    /// What is typed so far.
    pub text: String,
    /// What is wrong with it, once somebody tried to give it as the answer.
    pub fault: Option<String>,
    /// What the answer is for.
    pub purpose: Purpose,
}

/// What the answer to a [`Question`] is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// How long to hold a board; the board's default if nothing is said.
    Reserve(BoardName),
    /// How long a hold is to last from now.
    Extend(BoardName),
    /// Why somebody's hold of this number is broken.
    BreakHold(BoardName, u64),
    /// Why the pen is taken.
    ForcePen(u64),
    /// How long to hold each of these; as is usual for each if nothing is said.
    ReserveAll(Vec<BoardName>),
    /// Whether somebody has counted the boards, and so read which they are.
    Count(usize, Box<Step>),
}

impl Choice {
    /// Moves the mark around.
    pub fn mark(&mut self, by: isize) {
        let count = self.answers.len() as isize;
        self.marked = (self.marked as isize + by).rem_euclid(count.max(1)) as usize;
    }

    /// Where the marked answer leads.
    pub fn step(&self) -> Step {
        self.answers.get(self.marked).map_or(Step::Nothing, |(_, step)| step.clone())
    }
}

impl Question {
    /// A question with an answer suggested.
    pub fn new(title: String, about: String, text: String, purpose: Purpose) -> Question {
        Question { title, about, text, fault: None, purpose }
    }

    /// What the text leads to, or what is wrong with it.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn step(&self) -> Result<Step, String> {
        let text = self.text.trim();
        let span = || text.parse::<Span>().map_err(|why| why.to_string());
        let reason = || match text {
            "" => Err("write a reason; the other side reads it".to_owned()),
            text => Ok(text.to_owned()),
        };
        let usual = || if text.is_empty() { Ok(None) } else { span().map(Some) };
        Ok(Step::Call(match &self.purpose {
            Purpose::Reserve(board) => Call::Reserve { board: board.clone(), span: usual()? },
            Purpose::Extend(board) => Call::Extend { board: board.clone(), span: span()? },
            Purpose::BreakHold(board, number) => {
                let release = Release { number: Some(*number), breaking: Some(reason()?) };
                Call::Release { board: board.clone(), release }
            }
            Purpose::ForcePen(session) => {
                Call::Pen { session: *session, ask: PenAsk::Force { reason: reason()? } }
            }
            Purpose::ReserveAll(boards) => {
                let span = usual()?;
                let call = |board: BoardName| (board.clone(), Call::Reserve { board, span });
                let calls = boards.iter().cloned().map(call).collect();
                return Ok(Step::Together(Batch::new("reserve".to_owned(), calls)));
            }
            Purpose::Count(count, step) if text == count.to_string() => return Ok((**step).clone()),
            Purpose::Count(count, _) => return Err(format!("there are {count}; Esc does nothing")),
        }))
    }
}

/// How long until then, in whole seconds, of which the last is counted to its end: `1h20m`.
pub fn left(until: Time, now: Time) -> String {
    match until.since(now).0.div_ceil(1_000) {
        0 => "0s".to_owned(),
        seconds => Span::seconds(seconds).to_string(),
    }
}
