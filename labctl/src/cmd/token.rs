//! `labctl token`: what programs and people from elsewhere come in with.

use clap::Subcommand;
use protocol::Span;
use protocol::account::{Token as Known, TokenAsk};
use protocol::board::BoardName;
use protocol::user::{Scope, UserName, Verb};

use super::{offer, want};
use crate::At;
use crate::print::Output;
use crate::style::Style;
use crate::table::{Cell, Table};

/// Make, list and revoke tokens.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// List the tokens that are good, without their secrets: everybody's for an administrator, else yours
    List,
    /// Make a token; nothing but its secret is printed on standard output: LAB_TOKEN=$(labctl token new)
    New(Box<New>),
    /// Revoke a token; whoever is here with it is out within a second
    Revoke {
        /// Its id, as in 'labctl token list'
        #[arg(add = offer::tokens())]
        id: String,
    },
}

/// Make a token. It opens no more than its owner may do, and less where you say so.
#[derive(Debug, clap::Args)]
pub struct New {
    /// Whose it is, if not yours; that takes an administrator
    #[arg(short, long, add = offer::users())]
    user: Option<UserName>,
    /// For how long: 30min, 7d; 8h if not said, 90d at most
    #[arg(short = 'f', long = "for", value_name = "SPAN")]
    span: Option<Span>,
    /// Only this board; can be given more than once
    #[arg(short, long, add = want::boards())]
    board: Vec<BoardName>,
    /// Only boards of this class; can be given more than once
    #[arg(short, long, add = want::classes())]
    class: Vec<String>,
    /// Only this, besides looking: see, hold, type, power, tunnel, flash, share, moderate or administer;
    /// can be given more than once
    #[arg(short, long, add = offer::verbs())]
    verb: Vec<Verb>,
    /// Good for one connection
    #[arg(long)]
    once: bool,
    /// What for, for the list
    #[arg(short, long)]
    note: Option<String>,
}

impl Token {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let lab = at.connect().await?;
        match self {
            Token::List => {
                let tokens = lab.tokens().await?;
                out.list("tokens", &tokens, |out| table(out, &tokens))?;
            }
            Token::New(new) => {
                let New { user, span, board, class, verb, once, note } = *new;
                let scope = Scope { boards: board, classes: class, verbs: verb };
                let new = lab
                    .make_token(TokenAsk { who: user, note, scope, span, once, joins: false })
                    .await?;
                out.tell("token", &new, new.secret.as_str())?;
                let Known { id, who, scope, until, .. } = &new.token;
                let (until, once) = (out.time(*until), if once { ", once" } else { "" });
                out.say(format_args!(
                    "token {id} of {who} opens {} until {until}{once}",
                    opens(scope)
                ));
                out.say(format_args!("it is not told again; 'labctl token revoke {id}' ends it"));
            }
            Token::Revoke { id } => {
                let token = lab.revoke_token(id).await?;
                let sentence = format!("token {} of {} is revoked", token.id, token.who);
                out.tell("token", &token, sentence)?;
            }
        }
        Ok(())
    }
}

/// What a token opens: `everything that its owner may`, `rpi4 and class rk3588 to type, power`.
pub(super) fn opens(scope: &Scope) -> String {
    let boards = scope.boards.iter().map(ToString::to_string);
    let classes = scope.classes.iter().map(|class| format!("class {class}"));
    let what: Vec<_> = boards.chain(classes).collect();
    let verbs: Vec<_> = scope.verbs.iter().map(ToString::to_string).collect();
    match (what.is_empty(), verbs.is_empty()) {
        (true, true) => "all that they may".to_owned(),
        (false, true) => what.join(", "),
        (true, false) => format!("every board to {}", verbs.join(", ")),
        (false, false) => format!("{} to {}", what.join(", "), verbs.join(", ")),
    }
}

fn table(out: &Output, tokens: &[Known]) -> Table {
    let head = ["TOKEN", "USER", "UNTIL", "USED", "OPENS", "FOR"];
    let mut table = Table::new(&head, "there are no tokens; 'labctl token new' makes one");
    for token in tokens {
        let used = match token.used {
            Some(used) => out.time(used).into(),
            None => Cell::styled("never", Style::Faint),
        };
        let once = if token.once { ", once" } else { "" };
        table.row([
            (&token.id).into(),
            (&token.who).into(),
            out.time(token.until).into(),
            used,
            format!("{}{once}", opens(&token.scope)).into(),
            token.note.clone().unwrap_or_default().into(),
        ]);
    }
    table
}
