//! `labctl user`: whom the lab knows by itself, and what they may.

use clap::Subcommand;
use protocol::Span;
use protocol::account::{Account, AccountAsk, Grant};
use protocol::user::{Role, UserName};

use super::offer;
use crate::At;
use crate::exit::with_help;
use crate::print::Output;
use crate::style::Style;
use crate::table::{Cell, Table};

/// Look after accounts: whom the lab knows by itself.
#[derive(Debug, Subcommand)]
pub enum User {
    /// List the accounts: everybody's for a moderator, else your own
    List,
    /// Make an account for somebody whom the system does not know, or who is to have another role
    Add {
        /// Their name
        name: UserName,
        /// viewer, machine, user, moderator or admin
        #[arg(short, long, default_value_t = Role::User, add = offer::roles())]
        role: Role,
        /// For how long they have the role: 8h, 7d; for good if not said
        #[arg(short = 'f', long = "for", value_name = "SPAN")]
        span: Option<Span>,
        /// Who they are to GitHub or another provider: github:583231
        #[arg(short, long)]
        identity: Option<String>,
    },
    /// Say who somebody is to GitHub or another provider, with which they log in then
    Identity {
        /// Whose account it is
        #[arg(add = offer::users())]
        name: UserName,
        /// As the lab says it to whoever it does not know: github:583231
        identity: String,
        /// They are not, or no longer; whoever is here by it is out within a second
        #[arg(long)]
        remove: bool,
    },
    /// Give somebody a role besides those they have, for a while or for good; the highest counts
    Role {
        /// Whom
        #[arg(add = offer::users())]
        name: UserName,
        /// viewer, machine, user, moderator or admin
        #[arg(add = offer::roles())]
        role: Role,
        /// For how long: 8h, 7d; for good if not said
        #[arg(short = 'f', long = "for", value_name = "SPAN")]
        span: Option<Span>,
        /// Take the role away instead
        #[arg(short, long, conflicts_with = "span")]
        withdraw: bool,
    },
    /// Remove an account, its tokens and its keys; whoever is here with them is out within a second
    Remove {
        /// Whose
        #[arg(add = offer::users())]
        name: UserName,
    },
}

impl User {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        let lab = at.connect().await?;
        let mut added = None;
        let (name, ask) = match self {
            User::List => {
                let accounts = lab.accounts().await?;
                out.list("accounts", &accounts, |out| table(out, &accounts))?;
                return Ok(());
            }
            User::Add { name, role, span, identity } => {
                added = identity;
                (name, AccountAsk::Add { role, span })
            }
            User::Identity { name, identity, remove: false } => {
                (name, AccountAsk::Identify { identity })
            }
            User::Identity { name, identity, remove: true } => {
                (name, AccountAsk::Disown { identity })
            }
            User::Role { name, role, withdraw: true, .. } => (name, AccountAsk::Withdraw { role }),
            User::Role { name, role, span, .. } => (name, AccountAsk::Grant { role, span }),
            User::Remove { name } => (name, AccountAsk::Remove),
        };
        let mut account = lab.change_account(name.clone(), ask.clone()).await?;
        let is_identified = added.is_some();
        if let Some(identity) = added {
            let help =
                format!("{name} has the account all the same: 'labctl user identity {name} …'");
            let identified = lab.change_account(name.clone(), AccountAsk::Identify { identity });
            account = identified.await.map_err(|error| with_help(error, help))?;
        }
        let sentence = match (&ask, &account) {
            (AccountAsk::Identify { identity }, Some(_)) => format!("{name} logs in as {identity}"),
            (AccountAsk::Disown { identity }, Some(_)) => {
                format!("{name} no longer logs in as {identity}, and is out where they had")
            }
            (AccountAsk::Add { .. }, Some(account)) => {
                format!("{name} has an account, with the role {}", roles(out, account))
            }
            (_, Some(account)) if account.roles.is_empty() => {
                format!("{name} has an account, and no role of it")
            }
            (_, Some(account)) => format!("{name} has the role {}", roles(out, account)),
            (_, None) => format!("{name} has no account, tokens or keys here"),
        };
        out.tell("account", &account, sentence)?;
        if matches!(ask, AccountAsk::Add { .. }) && !is_identified {
            out.say(format_args!(
                "what they come in with: 'labctl key add FILE --user {name}' or 'labctl token new --user {name}'"
            ));
        }
        Ok(())
    }
}

fn table(out: &Output, accounts: &[Account]) -> Table {
    let head = ["USER", "ROLE", "GROUPS", "SINCE", "IDENTITIES"];
    let empty =
        "the lab has no accounts that you may see; who is in 'access' of labd.conf needs none";
    let mut table = Table::new(&head, empty);
    for account in accounts {
        let role = match roles(out, account) {
            text if text.is_empty() => Cell::styled("none", Style::Bad),
            text => text.into(),
        };
        let groups = if account.groups.is_empty() { "-".into() } else { account.groups.join(", ") };
        let identities: Vec<_> = account.identities.iter().map(ToString::to_string).collect();
        let identities = if identities.is_empty() { "-".into() } else { identities.join(", ") };
        let since = out.time(account.since);
        table.row([(&account.name).into(), role, groups.into(), since.into(), identities.into()]);
    }
    table
}

/// The roles that count now and later: `admin until 14:20, then user`.
fn roles(out: &Output, account: &Account) -> String {
    let mut grants: Vec<&Grant> = account.roles.iter().collect();
    grants.sort_by_key(|grant| std::cmp::Reverse(grant.role));
    // A lower role counts when the higher ones are over.
    let mut last = None;
    grants.retain(|grant| {
        let end = grant.until.map_or(u64::MAX, |until| until.0);
        let counts = last.is_none_or(|last| last < end);
        last = last.max(Some(end));
        counts
    });
    let role = |grant: &&Grant| match grant.until {
        Some(until) => format!("{} until {}", grant.role, out.time(until)),
        None => grant.role.to_string(),
    };
    grants.iter().map(role).collect::<Vec<_>>().join(", then ")
}
