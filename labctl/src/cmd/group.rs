//! `labctl group`: who is in which group, and whose boards those are.

use std::collections::BTreeMap;

use clap::Subcommand;
use protocol::Error;
use protocol::account::AccountAsk;
use protocol::board::Filter;
use protocol::client::Client;
use protocol::user::UserName;
use serde::Serialize;

use super::offer;
use crate::At;
use crate::print::Output;
use crate::table::Table;

/// Look after groups: a board of a group is there for its members only.
#[derive(Debug, Subcommand)]
pub enum Group {
    /// List the groups, with the accounts and the boards that you may see; the system's groups have more members
    List,
    /// Put somebody into a group
    Add {
        /// The group; it need not be there before
        #[arg(add = offer::groups())]
        group: String,
        /// Whom
        #[arg(add = offer::users())]
        user: UserName,
    },
    /// Take somebody out of a group
    Remove {
        /// The group
        #[arg(add = offer::groups())]
        group: String,
        /// Whom
        #[arg(add = offer::users())]
        user: UserName,
    },
}

/// A group, as far as it can be seen.
#[derive(Debug, Default, Serialize)]
pub(super) struct Of {
    /// Its name.
    pub(super) name: String,
    /// The accounts in it.
    pub(super) members: Vec<String>,
    /// The boards of it.
    pub(super) boards: Vec<String>,
}

impl Group {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let lab = at.connect().await?;
        match self {
            Group::List => {
                let groups = all(&lab).await?;
                out.list("groups", &groups, |_| table(&groups))?;
            }
            Group::Add { group, user } => {
                let ask = AccountAsk::Join { group: group.clone() };
                let account = lab.change_account(user.clone(), ask).await?;
                out.tell("account", &account, format_args!("{user} is in {group}"))?;
            }
            Group::Remove { group, user } => {
                let ask = AccountAsk::Leave { group: group.clone() };
                let account = lab.change_account(user.clone(), ask).await?;
                out.tell("account", &account, format_args!("{user} is no longer in {group}"))?;
            }
        }
        Ok(())
    }
}

/// Every group of an account or a board.
pub(super) async fn all(lab: &Client) -> Result<Vec<Of>, Error> {
    let mut groups = BTreeMap::<String, Of>::new();
    for account in lab.accounts().await? {
        for group in &account.groups {
            groups.entry(group.clone()).or_default().members.push(account.name.to_string());
        }
    }
    for board in lab.boards(Filter::default()).await? {
        for group in &board.groups {
            groups.entry(group.clone()).or_default().boards.push(board.name.to_string());
        }
    }
    Ok(groups.into_iter().map(|(name, group)| Of { name, ..group }).collect())
}

fn table(groups: &[Of]) -> Table {
    let empty = "no group has accounts or boards; 'groups' in labd.conf makes boards a group's";
    let mut table = Table::new(&["GROUP", "ACCOUNTS", "BOARDS"], empty);
    let list = |names: &[String]| if names.is_empty() { "-".into() } else { names.join(", ") };
    for group in groups {
        table.row([(&group.name).into(), list(&group.members).into(), list(&group.boards).into()]);
    }
    table
}
