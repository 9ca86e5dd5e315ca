//! `ssh lab@lab token --for 8h`: a token, as bitelab hands them out.

use clap::Parser;
use protocol::account::TokenAsk;
use protocol::board::BoardName;
use protocol::user::Scope;
use protocol::{Error, Span};

use super::session::Session;

/// Print a token with which programs come in as you
#[derive(Debug, Parser)]
#[command(name = "token", no_binary_name = true, disable_version_flag = true)]
struct Wish {
    /// For how long: 30min, 8h, 7d
    #[arg(long = "for", value_name = "SPAN")]
    span: Option<Span>,
    /// It opens the boards of this class; may be given again
    #[arg(long, value_name = "CLASS")]
    class: Vec<String>,
    /// It opens this board; may be given again
    #[arg(long, value_name = "BOARD")]
    board: Vec<BoardName>,
    /// It is good for one connection
    #[arg(long)]
    once: bool,
    /// What for
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// Prints a token. Returns the exit status.
///
/// # Errors
/// The lab's.
pub(super) async fn print(session: &Session<'_>, options: &[String]) -> Result<u8, Error> {
    let wish = match Wish::try_parse_from(options) {
        Ok(wish) => wish,
        Err(why) => {
            session.say(&why.to_string()).await;
            return Ok(if why.use_stderr() { 2 } else { 0 });
        }
    };
    let scope = Scope { boards: wish.board, classes: wish.class, verbs: Vec::new() };
    let ask = TokenAsk {
        who: None,
        note: wish.note,
        scope,
        span: wish.span,
        once: wish.once,
        joins: false,
    };
    let who = session.visitor.who()?;
    let made = session.visitor.door.lab.make_token(&who, &who, ask).await?;
    session.print(&format!("{}\n", made.secret.as_str())).await;
    Ok(0)
}
