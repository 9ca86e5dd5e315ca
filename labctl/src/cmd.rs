//! Every command: one file each, its arguments and its run side by side.

mod admin;
mod at;
mod audit;
mod auth;
mod board;
mod boards;
mod boots;
mod cast;
mod classes;
mod console;
mod demo;
mod doctor;
mod extend;
mod forward;
mod give;
mod group;
mod holds;
mod journal;
mod kept;
mod key;
mod login;
mod man;
mod note;
mod offer;
mod past;
mod play;
mod power;
mod proxy;
mod queue;
mod record;
mod release;
mod reload;
mod reserve;
mod run;
mod search;
mod send;
mod serial;
mod signal;
mod ssh;
mod steps;
mod timeline;
mod token;
mod triggers;
mod user;
mod wait;
mod want;
mod when;
mod whoami;

use std::process::ExitCode;

use clap::Subcommand;

use crate::At;
use crate::print::Output;

/// What labctl can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the boards: who has them, whether they have power, what they say
    Boards(boards::Boards),
    /// Show everything about a board
    Board(board::Board),
    /// List the classes of interchangeable boards
    Classes(classes::Classes),
    /// Hold a board, or wait for one
    Reserve(reserve::Reserve),
    /// Give a board back
    Release(release::Release),
    /// Hold a board longer
    Extend(extend::Extend),
    /// Hand a board you hold over to somebody else
    Give(give::Give),
    /// List the holds
    Holds(holds::Holds),
    /// List who waits, for what, and why
    Queue(queue::Queue),
    /// Switch a board on or off, or see how it stands
    Power(power::Power),
    /// Attach to a board's console; or use it as a pipe, or from a script
    Console(console::Console),
    /// Send a file through a board's console: by XMODEM, YMODEM, or as text
    Send(send::Send),
    /// Send a BREAK on a board's console, or a sequence with one
    Break(signal::Break),
    /// Set DTR and RTS of a board's console: reset, boot loader
    Line(signal::Line),
    /// Show a board's timeline: who did what, and what happened
    Journal(journal::Journal),
    /// List how a board boots, or lay two boots side by side
    Boots(boots::Boots),
    /// List what the lab does when consoles show something
    Triggers(triggers::Triggers),
    /// Write a part of a board's past to a file, to keep and to share
    Record(record::Record),
    /// Play a recording, or a part of a board's past
    Play(play::Play),
    /// Show how a board stood at an instant of the past
    At(at::At),
    /// Show who did what, from where, and what was not allowed
    Audit(audit::Audit),
    /// Search in what consoles ever printed
    Search(search::Search),
    /// Write something down on a board's timeline
    Note(note::Note),
    /// Hold a board, run a command with it, and give it back whatever happens
    Run(run::Run),
    /// Come to a shell of a board you hold, by ssh
    Ssh(ssh::Ssh),
    /// Bring a board's console to this machine as a serial port, for programs of other make
    Serial(serial::Serial),
    /// Bring a port of a board you hold to this machine
    Forward(forward::Forward),
    /// Carry an ssh connection to the lab or a board: for ProxyCommand
    Proxy(proxy::Proxy),
    /// Wait until a board is in a certain state
    Wait(wait::Wait),
    /// Show who you are to the lab: your role, your groups, how you came in
    Whoami(whoami::Whoami),
    /// Ask whether somebody may do something, and why
    #[command(subcommand)]
    Auth(auth::Auth),
    /// Look after accounts: whom the lab knows by itself, and what they may
    #[command(subcommand)]
    User(user::User),
    /// Look after groups: a board of a group is there for its members only
    #[command(subcommand)]
    Group(group::Group),
    /// Look after tokens: what programs and people from elsewhere come in with
    #[command(subcommand)]
    Token(token::Token),
    /// Look after ssh public keys
    #[command(subcommand)]
    Key(key::Key),
    /// Have labd read its configuration again
    Reload(reload::Reload),
    /// Look for what should be mended, and say how
    Doctor(doctor::Doctor),
    /// Look after the lab's memory
    #[command(subcommand)]
    Admin(admin::Admin),
    /// Log in to a lab from elsewhere, with an invitation, by way of GitHub or the like, or with a token
    Login(login::Login),
    /// Log out of a lab, and forget it
    Logout(login::Logout),
    /// List the labs that you have logged in to, or choose the one that is meant
    #[command(visible_aliases = ["context", "contexts"])]
    Labs(login::Labs),
    /// Start a lab made of nothing, or find the one that runs
    Demo(demo::Demo),
    /// Write the manual pages to a folder
    Man(man::Man),
}

impl Command {
    /// Runs it. An exit code is returned where it is another's: the command's that was run, the answer's.
    ///
    /// # Errors
    /// Whatever it is, [`crate::exit`] has a code for it.
    pub async fn run(self, at: &At, out: &mut Output) -> anyhow::Result<Option<ExitCode>> {
        match self {
            Command::Boards(command) => command.run(at, out).await?,
            Command::Board(command) => command.run(at, out).await?,
            Command::Classes(command) => command.run(at, out).await?,
            Command::Reserve(command) => command.run(at, out).await?,
            Command::Release(command) => command.run(at, out).await?,
            Command::Extend(command) => command.run(at, out).await?,
            Command::Give(command) => command.run(at, out).await?,
            Command::Holds(command) => command.run(at, out).await?,
            Command::Queue(command) => command.run(at, out).await?,
            Command::Power(command) => command.run(at, out).await?,
            Command::Console(command) => command.run(at, out).await?,
            Command::Send(command) => command.run(at, out).await?,
            Command::Break(command) => command.run(at, out).await?,
            Command::Line(command) => command.run(at, out).await?,
            Command::Journal(command) => command.run(at, out).await?,
            Command::Boots(command) => command.run(at, out).await?,
            Command::Triggers(command) => command.run(at, out).await?,
            Command::Record(command) => command.run(at, out).await?,
            Command::Play(command) => command.run(at).await?,
            Command::At(command) => command.run(at, out).await?,
            Command::Audit(command) => command.run(at, out).await?,
            Command::Note(command) => command.run(at, out).await?,
            Command::Run(command) => return command.run(at, out).await.map(Some),
            Command::Search(command) => return command.run(at, out).await.map(Some),
            Command::Ssh(command) => command.run(at)?,
            Command::Serial(command) => command.run(at, out).await?,
            Command::Forward(command) => command.run(at, out).await?,
            Command::Proxy(command) => command.run(at).await?,
            Command::Wait(command) => command.run(at, out).await?,
            Command::Whoami(command) => command.run(at, out).await?,
            Command::Auth(command) => return command.run(at, out).await.map(Some),
            Command::User(command) => command.run(at, out).await?,
            Command::Group(command) => command.run(at, out).await?,
            Command::Token(command) => command.run(at, out).await?,
            Command::Key(command) => command.run(at, out).await?,
            Command::Reload(command) => command.run(at, out).await?,
            Command::Doctor(command) => command.run(at, out).await?,
            Command::Admin(command) => command.run(at, out).await?,
            Command::Login(command) => command.run(out).await?,
            Command::Logout(command) => command.run(out).await?,
            Command::Labs(command) => command.run(out)?,
            Command::Demo(command) => command.run(at, out).await?,
            Command::Man(command) => command.run(out)?,
        }
        Ok(None)
    }
}
