//! `labd demo`: a lab made of nothing, for whoever wants to look around.

use std::collections::hash_map::RandomState;
use std::fs::DirBuilder;
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use protocol::address::{Address, demo_socket};
use protocol::board::{BoardName, Filter};
use protocol::demo::next_steps;
use protocol::hold::{Ask, IfTaken, Want};
use protocol::power::PowerAsk;
use protocol::user::{Role, Who};
use protocol::{Error, Span};
use tokio::time::{Duration, sleep, timeout};

use super::{Places, log, run};
use crate::clock::Clock;
use crate::config::Config;
use crate::doorstep::guests::{Guests, Room};
use crate::lab::Lab;
use crate::rpc::listen;

/// The lab, described as any other.
const CONFIG: &str = include_str!("demo.conf");
/// The table is printed when all boards have power, or after this time.
const WARM_UP: Duration = Duration::from_secs(2);

/// Start a lab made of nothing.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Keep the lab's state in this folder; else it is forgotten at the end
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// End by yourself, so long after the last client has left
    #[arg(long, value_name = "SPAN")]
    linger: Option<Span>,
}

impl Demo {
    pub(super) fn run(self, places: &Places) -> anyhow::Result<()> {
        log::start("warn");
        let socket = places.socket.clone().unwrap_or_else(demo_socket);
        let state = State::new(self.dir)?;
        let config = Config::parse(CONFIG, "demo.conf").map_err(|faults| anyhow!("{faults:?}"))?;
        run::runtime()?.block_on(async {
            let mut orders = run::Orders::listen()?;
            let listener = run::bind(&socket, 0o600)?;
            let lab = Lab::open(config, None, &state.folder, Clock::machine()).await?;
            let guests = Guests::new(Room::beside(lab.names().len()));
            let count = guests.count();
            tokio::spawn(listen::serve(lab.clone(), listener, guests));
            populate(&lab).await?;
            print(&lab, &Address::Unix(socket.clone())).await?;
            tokio::select! {
                told = orders.until_told(&lab) => told?,
                () = listen::until_left(count, self.linger) => {}
            }
            tokio::task::spawn_blocking(move || lab.close()).await?;
            // If it is gone already, that is as well.
            let _ = std::fs::remove_file(&socket);
            Ok(())
        })
    }
}

/// The folder of the demo's state; gone at the end, unless it was given.
struct State {
    folder: PathBuf,
    is_given: bool,
}

impl State {
    fn new(given: Option<PathBuf>) -> anyhow::Result<State> {
        let is_given = given.is_some();
        let folder = match given {
            Some(folder) => folder,
            None => {
                // Made here and now, for nobody else: what lies there already is not ours.
                let random = RandomState::new().hash_one(std::process::id());
                let own = std::env::temp_dir().join(format!("labd-demo-{random:016x}"));
                DirBuilder::new().mode(0o700).create(&own)?;
                own
            }
        };
        Ok(State { folder, is_given })
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if !self.is_given {
            // What is left behind is in the system's folder for what may be left behind.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Somebody holds a board, somebody waits for it, and everything has power.
async fn populate(lab: &Arc<Lab>) -> anyhow::Result<()> {
    let (ada, grace) = (person("ada", Role::User)?, person("grace", Role::User)?);
    let taken: BoardName = "imx8-2".parse()?;
    let ask = |note: &str, span| Ask {
        want: Want::Board { name: taken.clone() },
        span: Some(span),
        if_taken: IfTaken::Queue,
        grace: None,
        note: Some(note.to_owned()),
        ssh_key: None,
    };
    // In a folder of an earlier demo they may hold and wait already.
    let _ = lab.reserve(&ada, ask("bisecting the DMA hang", Span::minutes(95))).await;
    if !lab.queue(&grace).iter().any(|place| place.who == grace.name) {
        lab.reserve(&grace, ask("wants to try a device tree", Span::hours(1))).await?;
    }
    let admin = person("labd", Role::Admin)?;
    for board in lab.names() {
        let (lab, admin) = (lab.clone(), admin.clone());
        tokio::spawn(async move {
            match lab.power(&admin, &board, PowerAsk::On).await {
                Ok(_) | Err(Error::Lacks { .. } | Error::Device { .. }) => {}
                Err(error) => tracing::warn!(%board, %error, "no power"),
            }
        });
    }
    Ok(())
}

fn person(name: &str, role: Role) -> anyhow::Result<Who> {
    Ok(Who::new(name.parse()?, role))
}

async fn print(lab: &Arc<Lab>, address: &Address) -> anyhow::Result<()> {
    let who = person("labd", Role::Admin)?;
    let rows = || lab.rows(&who, &Filter::default());
    let said = async {
        while rows().iter().any(|row| row.last_line.is_empty() && row.fault.is_none()) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    // A board that says nothing is part of the show.
    let _ = timeout(WARM_UP, said).await;
    let mut text = format!(
        "{:<10} {:<14} {:<10} {:<8} {:<8} LAST LINE\n",
        "BOARD", "CLASS", "STATE", "POWER", "HELD BY"
    );
    for row in rows() {
        let who = row.hold.map_or("-".to_owned(), |hold| hold.who.to_string());
        let (name, class, state, power) = (row.name, row.class, row.state, row.power);
        text +=
            &format!("{name:<10} {class:<14} {state:<10} {power:<8} {who:<8} {}\n", row.last_line);
    }
    let mut out = io::stdout().lock();
    // Nobody has to listen.
    let _ = writeln!(out, "{text}{}\n\nCtrl-C ends the lab.", next_steps(address));
    Ok(())
}
