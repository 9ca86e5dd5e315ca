//! `labctl key`: the ssh public keys with which people come in.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use clap::Subcommand;
use protocol::Error;
use protocol::account::Key as Known;
use protocol::user::UserName;

use super::offer;
use crate::At;
use crate::exit::{Failure, USAGE};
use crate::print::Output;
use crate::table::Table;

/// Add, list and remove ssh public keys.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// List the keys: everybody's for an administrator, else yours
    List,
    /// Add a key: ed25519, ecdsa, rsa from 2048 bits, or a security key's
    Add(From),
    /// Add all the keys of a file, one a line, as GitHub lists them; those that are there stay
    Import(From),
    /// Remove a key; whoever is here with it is out within a second
    Remove {
        /// As in 'labctl key list': SHA256:…
        #[arg(add = offer::keys())]
        fingerprint: String,
    },
}

/// From where a key comes, and whose it is.
#[derive(Debug, clap::Args)]
pub struct From {
    /// Such as ~/.ssh/id_ed25519.pub; - for standard input
    file: PathBuf,
    /// Whose it is, if not yours; that takes an administrator
    #[arg(short, long, add = offer::users())]
    user: Option<UserName>,
}

impl Key {
    pub(super) async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<()> {
        match self {
            Key::List => {
                let keys = at.connect().await?.keys().await?;
                out.list("keys", &keys, |out| table(out, &keys))?;
            }
            Key::Add(from) => {
                let lines = from.lines()?;
                let [(_, line)] = lines.as_slice() else {
                    let what = format!("there are {} keys in {}", lines.len(), from.file.display());
                    let help =
                        format!("add them all with 'labctl key import {}'", from.file.display());
                    return Err(Failure::usage(what, help).into());
                };
                let key = at.connect().await?.add_key(from.user.clone(), line.clone()).await?;
                out.tell(
                    "key",
                    &key,
                    format_args!("{} may come in with {}", key.who, key.fingerprint),
                )?;
            }
            Key::Import(from) => import(at, &from, out).await?,
            Key::Remove { fingerprint } => {
                let key = at.connect().await?.remove_key(fingerprint).await?;
                let sentence = format!("the key {} of {} is removed", key.fingerprint, key.who);
                out.tell("key", &key, sentence)?;
            }
        }
        Ok(())
    }
}

/// Adds what can be added, and says of each other line why not.
async fn import(at: &At, from: &From, out: &mut Output) -> anyhow::Result<()> {
    let (lines, lab) = (from.lines()?, at.connect().await?);
    let who = match &from.user {
        Some(user) => user.clone(),
        None => lab.whoami().await?.name,
    };
    let known: BTreeSet<_> =
        lab.keys().await?.iter().filter(|key| key.who == who).map(|key| body(&key.line)).collect();
    let (mut added, mut there, mut refused) = (Vec::new(), 0, 0);
    for (number, line) in &lines {
        if known.contains(&body(line)) {
            there += 1;
            continue;
        }
        match lab.add_key(from.user.clone(), line.clone()).await {
            Ok(key) => added.push(key),
            Err(Error::Bad { why }) => {
                refused += 1;
                out.say(format_args!("{}:{number}: {why}", from.file.display()));
            }
            Err(other) => return Err(other.into()),
        }
    }
    if out.is_json() {
        out.list("keys", &added, |_| Table::new(&[], ""))?;
    } else {
        let there = if there > 0 { format!("; {there} there before") } else { String::new() };
        out.line(format_args!("{} of {} added for {who}{there}", added.len(), count(lines.len())))?;
    }
    if refused > 0 {
        let what = format!("{} of {} refused", refused, count(lines.len()));
        let help = "see above why; the others are added".to_owned();
        return Err(Failure { what, code: USAGE, help: Some(help) }.into());
    }
    Ok(())
}

fn count(keys: usize) -> String {
    if keys == 1 { "1 key".to_owned() } else { format!("{keys} keys") }
}

impl From {
    /// The lines that say something, with their numbers.
    fn lines(&self) -> anyhow::Result<Vec<(usize, String)>> {
        let help = "name a public key, such as ~/.ssh/id_ed25519.pub; or - for standard input";
        let text = if self.file.as_os_str() == "-" {
            if std::io::stdin().is_terminal() {
                return Err(Failure::usage("a key is not typed at a terminal", help).into());
            }
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            text
        } else {
            std::fs::read_to_string(&self.file)
                .map_err(|error| Failure::file(&self.file, &error, help))?
        };
        if text.contains("PRIVATE KEY") {
            // It does not leave this machine.
            let what = format!("{} is a private key", self.file.display());
            return Err(Failure::usage(what, "name the file that ends in .pub").into());
        }
        let lines = text.lines().map(str::trim).enumerate();
        let says = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let lines: Vec<_> = says.map(|(index, line)| (index + 1, line.to_owned())).collect();
        if lines.is_empty() {
            let what = format!("there is no key in {}", self.file.display());
            return Err(Failure::usage(what, help).into());
        }
        Ok(lines)
    }
}

/// What makes a key that key: its kind and its base64, without the comment.
fn body(line: &str) -> String {
    line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// What its owner calls it.
pub(super) fn comment(line: &str) -> String {
    line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")
}

fn table(out: &Output, keys: &[Known]) -> Table {
    let head = ["KEY", "USER", "KIND", "SINCE", "COMMENT"];
    let mut table = Table::new(&head, "there are no keys; 'labctl key add FILE' adds one");
    for key in keys {
        table.row([
            (&key.fingerprint).into(),
            (&key.who).into(),
            key.line.split(' ').next().unwrap_or_default().into(),
            out.time(key.since).into(),
            comment(&key.line).into(),
        ]);
    }
    table
}
