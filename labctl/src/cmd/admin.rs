//! `labctl admin`: look after the lab's memory.

use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;

use clap::Subcommand;
use protocol::account::{AccountAsk, NewToken, TokenAsk};
use protocol::client;
use protocol::login::Invitation;
use protocol::user::{Role, UserName};
use protocol::wire::Follow;

use crate::At;
use crate::exit::{Failure, WRITABLE};
use crate::print::Output;

/// Look after the lab's memory.
#[derive(Debug, Subcommand)]
pub enum Admin {
    /// Read the whole ledger again, and compare the store with it
    Verify,
    /// Write the lab's whole state to a file, or to standard output: a backup
    Export {
        /// The file
        file: Option<PathBuf>,
    },
    /// Take over an export, in a lab that is not in use
    Import {
        /// The file; standard input if not named
        file: Option<PathBuf>,
    },
    /// Build the store anew from the ledger
    Rebuild,
    /// Print an invitation: whoever has it within ten minutes can log in as that user, once
    Invite {
        /// Whom the lab knows, or will
        user: UserName,
        /// Make an account for them, with this role
        #[arg(long)]
        role: Option<Role>,
    },
}

impl Admin {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let said = match self {
            Admin::Verify => at.connect().await?.verify().await?,
            Admin::Rebuild => at.connect().await?.rebuild().await?,
            Admin::Import { file } => at.connect().await?.import(read(file)?).await?,
            Admin::Export { file } => return export(at, file, out).await,
            Admin::Invite { user, role } => return invite(at, user, role, out).await,
        };
        out.tell("said", &said, said.join("\n"))?;
        Ok(())
    }
}

async fn invite(
    at: &At,
    user: UserName,
    role: Option<Role>,
    out: &mut Output,
) -> anyhow::Result<()> {
    let lab = at.connect().await?;
    let address = lab.found_at().await?;
    if let Some(role) = role {
        let has_account = lab.accounts().await?.iter().any(|account| account.name == user);
        let ask = if has_account {
            AccountAsk::Grant { role, span: None }
        } else {
            AccountAsk::Add { role, span: None }
        };
        lab.change_account(user.clone(), ask).await?;
    }
    let ask = TokenAsk { who: Some(user.clone()), joins: true, ..TokenAsk::default() };
    let NewToken { token, secret } = lab.make_token(ask).await?;
    let invitation = Invitation { address, secret }.to_string();
    out.tell("invitation", &invitation, &invitation)?;
    let until = out.time(token.until);
    out.say(format_args!("{user} logs in with it until {until}, once: labctl login 'INVITATION'"));
    Ok(())
}

fn read(file: Option<PathBuf>) -> anyhow::Result<Vec<String>> {
    let text = match file {
        Some(file) => std::fs::read_to_string(&file).map_err(|error| {
            Failure::file(&file, &error, "name a file that 'labctl admin export FILE' has written")
        })?,
        None if std::io::stdin().is_terminal() => {
            let help = "name a file: labctl admin import lab.jsonl";
            return Err(Failure::usage("an import is not typed at a terminal", help).into());
        }
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            text
        }
    };
    Ok(text.lines().map(str::to_owned).collect())
}

async fn export(at: &At, file: Option<PathBuf>, out: &mut Output) -> anyhow::Result<()> {
    if file.is_none() && std::io::stdout().is_terminal() {
        let help = "name a file, or send it somewhere: labctl admin export > lab.jsonl";
        return Err(Failure::usage("an export is not for a terminal", help).into());
    }
    let (mut flow, _) = client::follow(&at.address(), Follow::Export).await?;
    let mut text = String::new();
    while let Some(line) = client::next_line(&mut flow).await? {
        text += &line;
        text.push('\n');
    }
    match file {
        None => std::io::stdout().write_all(text.as_bytes())?,
        Some(file) => {
            // Whole or not at all: a broken backup is worse than none.
            let unfinished = file.with_extension("unfinished");
            std::fs::write(&unfinished, text)
                .and_then(|()| std::fs::rename(&unfinished, &file))
                .map_err(|error| Failure::file(&file, &error, WRITABLE))?;
            out.say(format_args!("written to {}", file.display()));
        }
    }
    Ok(())
}
