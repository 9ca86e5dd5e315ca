//! `labctl key`: the ssh public keys with which people come in.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use protocol::Error;
use protocol::account::Key as Known;
use protocol::tls::Trust;
use protocol::user::UserName;
use protocol::web::{self, Ask, StatusCode, Url};

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
    /// Add all the keys of a file or a page, one a line, as GitHub lists them; those that are there stay
    Import(Box<Many>),
    /// Remove a key; whoever is here with it is out within a second
    Remove {
        /// As in 'labctl key list': SHA256:…
        #[arg(add = offer::keys())]
        fingerprint: String,
    },
}

/// From where many keys come, and whose they are.
#[derive(Debug, clap::Args)]
pub struct Many {
    #[command(flatten)]
    source: Source,
    /// Whose they are, if not yours; that takes an administrator
    #[arg(short, long, add = offer::users())]
    user: Option<UserName>,
}

/// One of these.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Source {
    /// A file, one key a line; - for standard input
    file: Option<PathBuf>,
    /// A page: https://…, fetched from here
    #[arg(long, value_name = "URL")]
    from: Option<Url>,
    /// Somebody at GitHub, which lists the keys of everybody
    #[arg(long, value_name = "NAME", value_parser = github)]
    github: Option<Url>,
}

/// The page of somebody's keys at GitHub.
fn github(name: &str) -> Result<Url, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match !name.is_empty() && name.len() <= 64 && name.chars().all(fits) {
        true => format!("https://github.com/{name}.keys").parse().map_err(|bad| format!("{bad}")),
        false => Err("that is nobody's name at GitHub".to_owned()),
    }
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
            Key::Import(many) => import(at, &many, out).await?,
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
async fn import(at: &At, from: &Many, out: &mut Output) -> anyhow::Result<()> {
    let (place, text) = from.source.text().await?;
    let (lines, lab) = (lines(&place, &text)?, at.connect().await?);
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
                out.say(format_args!("{place}:{number}: {why}"));
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

/// What to do about a place without keys.
const HELP: &str = "name a public key, such as ~/.ssh/id_ed25519.pub; or - for standard input";

impl From {
    /// The lines that say something, with their numbers.
    fn lines(&self) -> anyhow::Result<Vec<(usize, String)>> {
        lines(&self.file.display().to_string(), &read(&self.file)?)
    }
}

impl Source {
    /// Where the keys are, and what is there.
    async fn text(&self) -> anyhow::Result<(String, String)> {
        match (&self.file, self.from.as_ref().or(self.github.as_ref())) {
            (Some(file), _) => Ok((file.display().to_string(), read(file)?)),
            (None, Some(url)) => Ok((url.to_string(), fetch(url).await?)),
            (None, None) => Err(Failure::usage("there is nothing to import", HELP).into()),
        }
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    if file.as_os_str() != "-" {
        let read = std::fs::read_to_string(file);
        return Ok(read.map_err(|error| Failure::file(file, &error, HELP))?);
    }
    if std::io::stdin().is_terminal() {
        return Err(Failure::usage("a key is not typed at a terminal", HELP).into());
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

/// What is at an address; wherever that may send somebody else, nobody goes.
async fn fetch(url: &Url) -> anyhow::Result<String> {
    let failed = |what: String| {
        let help = "look at it with a browser; or save it, and name the file".to_owned();
        Failure { what, code: 1, help: Some(help) }
    };
    let answer = web::ask(url, &Trust::System, Ask::get()).await;
    let answer = answer.map_err(|why| failed(format!("{url}: {why}")))?;
    if answer.status != StatusCode::OK {
        return Err(failed(format!("{url} answers {}", answer.status)).into());
    }
    Ok(String::from_utf8(answer.body).map_err(|_| failed(format!("{url} is no text")))?)
}

/// The lines of a text that say something, with their numbers.
fn lines(place: &str, text: &str) -> anyhow::Result<Vec<(usize, String)>> {
    if text.contains("PRIVATE KEY") {
        // It does not leave this machine.
        let what = format!("{place} is a private key");
        return Err(Failure::usage(what, "name the file that ends in .pub").into());
    }
    let lines = text.lines().map(str::trim).enumerate();
    let says = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let lines: Vec<_> = says.map(|(index, line)| (index + 1, line.to_owned())).collect();
    if lines.is_empty() {
        return Err(Failure::usage(format!("there is no key in {place}"), HELP).into());
    }
    Ok(lines)
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
