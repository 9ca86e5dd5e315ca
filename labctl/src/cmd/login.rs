//! `labctl login`, `logout` and `context`: labs from elsewhere.

mod provider;

use std::io::{BufRead, IsTerminal, Write};
use std::os::fd::AsFd;

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use protocol::account::Secret;
use protocol::address::Address;
use protocol::client::Client;
use protocol::context::{Context, Proof};
use protocol::dial::{dial_known, who_answers};
use protocol::login::{self, Invitation};
use protocol::user::Who;
use protocol::wire::Purpose;
use tokio::signal::ctrl_c;
use tokio::task::spawn_blocking;

use crate::exit::Failure;
use crate::print::Output;
use crate::style::Style;
use crate::table::{Cell, Table};

/// What a shell says of whatever Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Log in to a lab from elsewhere, with an invitation, by way of GitHub or the like, or with a token.
#[derive(Debug, clap::Args)]
pub struct Login {
    /// The invitation, as 'labctl admin invite' prints it; or tls://HOST:PORT, and you log in by way of
    /// whom the lab trusts for that, or a token is asked for; or '-', and it is asked for unseen, or read from
    /// standard input: no shell remembers it
    #[arg(value_name = "INVITATION")]
    place: String,
    /// Log in by way of this provider: github, or what the lab calls it
    #[arg(long, value_name = "PROVIDER")]
    with: Option<String>,
    /// With a browser of another machine: it is told a code
    #[arg(long, requires = "with")]
    device: bool,
    /// With a token, which is asked for, or read from standard input
    #[arg(long, conflicts_with = "with")]
    token: bool,
    /// What the lab is to be called here; its host if not said
    #[arg(long)]
    name: Option<String>,
    /// Believe whoever answers at an address without a fingerprint
    #[arg(long)]
    accept_new: bool,
}

impl Login {
    pub(super) async fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let place = match &*self.place {
            "-" => ask(out, "Invitation: ").await?,
            _ => self.place,
        };
        let (address, given) = match place.parse::<Invitation>() {
            Ok(Invitation { address, secret }) => (address, Some(secret)),
            Err(_) => (place.trim().parse::<Address>()?, None),
        };
        let Some((host, port, pin)) = address.elsewhere() else {
            let help = "a lab on this machine knows you by your user: labctl boards";
            let what = "only labs at tls:// and https:// addresses are logged in to";
            return Err(Failure::usage(what, help).into());
        };
        let name = self.name.unwrap_or_else(|| host.to_owned());
        check_name(&name)?;
        check_free(&name, &address, &format!("{host}-{port}"))?;
        let pin = match pin {
            Some(pin) => Some(pin),
            None if provider::is_vouched_for(&address).await => None,
            None => {
                let pin = who_answers(&address).await?;
                believe(out, &address, &pin.to_string(), self.accept_new)?;
                Some(pin)
            }
        };
        let address = address.believing(pin);
        let with = match (&given, self.with) {
            (Some(_), _) => None,
            (None, Some(with)) => Some(with),
            // Who pipes something in pipes a token.
            (None, None) if self.token || !std::io::stdin().is_terminal() => None,
            (None, None) => provider::usual(&address, out).await,
        };
        let secret = match (given, with) {
            (Some(secret), _) => secret,
            (None, Some(with)) => provider::token(&address, with, self.device, out).await?,
            (None, None) => ask_secret(out).await?,
        };
        let context = enter(name, &address, secret).await?;
        let who = first_visit(&context).await?;
        context.save()?;
        context.make_current()?;
        let sentence = format!(
            "you are {} at {}, with the role '{}'; labctl and labtui go there from now on",
            who.name, context.name, who.role
        );
        out.tell("who", &who, sentence)?;
        Ok(())
    }
}

/// An invitation becomes a certificate; any other token is kept as it is.
async fn enter(name: String, address: &Address, secret: Secret) -> anyhow::Result<Context> {
    match login::enter(name.clone(), address, &secret).await {
        Ok(context) => Ok(context),
        Err(protocol::Error::NotKnown { .. }) => {
            Ok(Context { name, address: address.clone(), proof: Proof::Token { secret } })
        }
        Err(error) => Err(error.into()),
    }
}

/// Comes in with what is about to be kept: what does not let anybody in again is not.
async fn first_visit(context: &Context) -> anyhow::Result<Who> {
    let address = &context.address;
    match dial_known(address, Some(context.clone()), &Purpose::Call).await {
        Ok((flow, _)) => Ok(Client::over(flow, address.clone()).whoami().await?),
        Err(protocol::Error::NotKnown { why }) => Err(Failure {
            what: format!("nobody stays logged in with that: {why}"),
            code: 5,
            help: Some(
                "a token that is good once is for one command, in LAB_TOKEN; to log in, ask the lab's \
                 administrator for an invitation"
                    .to_owned(),
            ),
        }
        .into()),
        Err(error) => Err(error.into()),
    }
}

/// Names are files.
fn check_name(name: &str) -> anyhow::Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if !name.is_empty() && name.chars().all(fits) && !name.starts_with('.') {
        return Ok(());
    }
    let what = format!("a lab cannot be called '{}' here", name.escape_debug());
    Err(Failure::usage(what, "name it with --name, by letters, digits, '.', '-' and '_'").into())
}

/// Another lab is not forgotten because it is called the same, as are those at two ports of one host.
fn check_free(name: &str, address: &Address, other: &str) -> anyhow::Result<()> {
    match Context::named(name).filter(|known| !known.address.is_at(address)) {
        None => Ok(()),
        Some(known) => {
            let there = known.address.to_string();
            let there = there.split('#').next().unwrap_or_default();
            let what = format!("'{name}' is what the lab at {there} is called here");
            let help = format!("call this one otherwise, as with --name {other}");
            Err(Failure::usage(what, help).into())
        }
    }
}

fn believe(out: &Output, address: &Address, pin: &str, accept_new: bool) -> anyhow::Result<()> {
    out.say(format_args!("{address} shows the fingerprint\n  {pin}"));
    if accept_new {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        let help = "ask the lab's administrator for an invitation, or add --accept-new";
        return Err(Failure::usage("nobody is here to compare it", help).into());
    }
    eprint!("Is that what the lab's administrator says? Type yes: ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::usage("then nothing was done", "ask the lab's administrator").into())
}

/// A token, typed or pasted unseen, or from standard input.
async fn ask_secret(out: &Output) -> anyhow::Result<Secret> {
    let wrong = |error: protocol::account::BadSecret| {
        Failure::usage(error.to_string(), "make one there with 'labctl token new'")
    };
    Ok(ask(out, "Token: ").await?.trim().parse().map_err(wrong)?)
}

/// What opens a lab, typed or pasted unseen, or from standard input.
async fn ask(out: &Output, prompt: &str) -> anyhow::Result<String> {
    let input = std::io::stdin();
    let usual = input.is_terminal().then(|| tcgetattr(input.as_fd())).transpose()?;
    if let Some(usual) = &usual {
        // First: what is pasted as soon as it is asked for would be seen, and lost.
        let mut unseen = usual.clone();
        unseen.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(input.as_fd(), SetArg::TCSAFLUSH, &unseen)?;
        eprint!("{prompt}");
        std::io::stderr().flush()?;
    }
    let read = spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let line = tokio::select! {
        line = read => Some(line),
        _ = ctrl_c() => None,
    };
    if let Some(usual) = &usual {
        tcsetattr(input.as_fd(), SetArg::TCSAFLUSH, usual)?;
        out.say("");
    }
    // Somebody may still be read from: nothing waits for that.
    let Some(line) = line else { std::process::exit(INTERRUPTED) };
    Ok(line??)
}

/// Log out of a lab, and forget it.
#[derive(Debug, clap::Args)]
pub struct Logout {
    /// What it is called here; the one in use if not said
    name: Option<String>,
}

impl Logout {
    pub(super) async fn run(self, out: &mut Output) -> anyhow::Result<()> {
        let context = named(self.name.as_deref())?;
        let revoked = revoke(&context).await;
        context.forget()?;
        let name = &context.name;
        let sentence = match revoked {
            Ok(()) if matches!(context.proof, Proof::Token { .. }) => format!(
                "{name} is forgotten here; your token is good until it ends, or until 'labctl token revoke'"
            ),
            Ok(()) => format!("you are logged out of {name}"),
            Err(error) => {
                format!(
                    "{name} is forgotten here; it could not be told, and will have forgotten you in a day: {error}"
                )
            }
        };
        out.tell("name", name, sentence)?;
        Ok(())
    }
}

async fn revoke(context: &Context) -> Result<(), protocol::Error> {
    let lab = Client::connect_as(&context.address, context.clone()).await?;
    let who = lab.whoami().await?;
    let via = who.via.unwrap_or_default();
    let theirs =
        |login: &protocol::account::Login| via.ends_with(&format!("certificate {}", login.id));
    if let Some(login) = lab.logins().await?.into_iter().find(theirs) {
        lab.log_out(login.id).await?;
    }
    Ok(())
}

/// List the labs that you have logged in to, or choose the one that is meant.
#[derive(Debug, clap::Args)]
pub struct Labs {
    /// Mean this one from now on
    name: Option<String>,
}

impl Labs {
    pub(super) fn run(self, out: &mut Output) -> anyhow::Result<()> {
        if let Some(name) = self.name {
            let context = named(Some(&name))?;
            context.make_current()?;
            out.tell("name", &name, format!("{name} is meant from now on"))?;
            return Ok(());
        }
        let current = Context::current().map(|current| current.name);
        let all = Context::all()?;
        let shown: Vec<_> = all
            .iter()
            .map(|context| Shown {
                name: context.name.clone(),
                address: context.address.to_string(),
                current: current.as_ref() == Some(&context.name),
            })
            .collect();
        out.list("labs", &shown, |_| table(&shown))?;
        Ok(())
    }
}

/// A lab as it is listed: without what opens it.
#[derive(serde::Serialize)]
struct Shown {
    name: String,
    address: String,
    current: bool,
}

fn table(labs: &[Shown]) -> Table {
    let none = "you have logged in to no lab; 'labctl login' takes an invitation";
    let mut table = Table::new(&["", "LAB", "ADDRESS"], none);
    for lab in labs {
        let mark = if lab.current { "*" } else { "" };
        let place = lab.address.split('#').next().unwrap_or_default();
        table.row([mark.into(), (&lab.name).into(), Cell::styled(place, Style::Faint)]);
    }
    table
}

fn named(name: Option<&str>) -> anyhow::Result<Context> {
    let known = match name {
        Some(name) => Context::named(name),
        None => Context::current(),
    };
    let what = match name {
        Some(name) => format!("you have not logged in to a lab called '{}'", name.escape_debug()),
        None => "you have logged in to no lab".to_owned(),
    };
    Ok(known.ok_or_else(|| Failure {
        what,
        code: 3,
        help: Some("see them with 'labctl labs'".to_owned()),
    })?)
}
