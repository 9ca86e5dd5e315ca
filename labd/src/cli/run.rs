//! `labd`: the daemon.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use futures::FutureExt;
use futures::future::{Fuse, FusedFuture};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Group;
use protocol::user::{Role, UserName, Who};
use russh::keys::HashAlg;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Places, log};
use crate::clock::{Clock, monotonic_micros};
use crate::config::{Access, Config, Ssh};
use crate::console;
use crate::doorstep::Doorstep;
use crate::doorstep::guests::{Guests, Room};
use crate::http::metrics;
use crate::lab::Lab;
use crate::rpc::listen;
use crate::serial_ports::Ports;
use crate::service_manager;
use crate::ssh::{self, host_key};
use crate::tls;

/// A system's socket is for the members of this group, if there is one.
const GROUP: &str = "labd";

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting, with the next step.
pub fn run(places: &Places) -> anyhow::Result<()> {
    service_manager::accept().context("what the service manager hands over")?;
    log::start("info");
    let file = places.config();
    if !file.exists() {
        bail!(
            "there is no {}; write one (contrib/labd.conf is an example), or try 'labd demo'",
            file.display()
        );
    }
    let config = Config::load(&file).map_err(|faults| {
        let lines: Vec<_> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
        anyhow!(
            "the configuration has faults; 'labd check {}' shows them in place:{}",
            file.display(),
            lines.concat()
        )
    })?;
    config.log_warnings();
    console::let_go_of_others(config.boards.iter().filter_map(|board| board.console.as_ref()));
    runtime()?.block_on(async {
        let mut orders = Orders::listen()?;
        let lab = Lab::open(config, Some(file), &places.state(), Clock::machine())
            .await
            .context("the lab does not open")?;
        let socket = places.socket();
        let (listener, owner) = listen_at(&socket, &lab)?;
        tracing::info!(socket = %socket.display(), boards = lab.names().len(), "the lab is open");
        // Before the lab answers at all: whoever finds it open finds all its doors open.
        let guests = Guests::new(Room::beside(lab.names().len()));
        let doorstep = Doorstep::before(guests.clone(), lab.config().exempt.clone());
        open_tls(&lab, &doorstep).await?;
        open_ssh(&lab, &places.state(), &doorstep).await?;
        let ports = Ports::open(lab.clone(), doorstep.clone()).await?;
        tokio::spawn(ports.keep());
        tokio::spawn(listen::serve(lab.clone(), listener, guests));
        open_metrics(&lab, &doorstep).await?;
        service_manager::warn_of_unclaimed();
        service_manager::tell(&format!("READY=1\n{}", status(&lab)));
        tokio::spawn(service_manager::feed_watchdog(lab.pulse()));
        orders.until_told(&lab).await?;
        service_manager::tell("STOPPING=1");
        tokio::task::spawn_blocking(move || lab.close()).await.context("closing the lab")?;
        if owner == Owner::Labd {
            // If it is gone already, that is as well.
            let _ = std::fs::remove_file(&socket);
        }
        Ok(())
    })
}

/// Whose a listener's socket is, and with it who may open it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Labd,
    ServiceManager,
}

/// Listens at the socket; the service manager may have begun that already.
fn listen_at(socket: &Path, lab: &Arc<Lab>) -> anyhow::Result<(UnixListener, Owner)> {
    let opened = service_manager::unix_listener(socket);
    if let Some(listener) = opened.with_context(|| socket.display().to_string())? {
        return Ok((UnixListener::from_std(listener)?, Owner::ServiceManager));
    }
    let listener = bind(socket, mode(lab.config().access.as_ref()))?;
    open_to_group(socket)?;
    tokio::spawn(keep_mode(lab.clone(), socket.to_owned()));
    Ok((listener, Owner::Labd))
}

/// Listens at those addresses, and wherever else the service manager does for a door of that name.
async fn listen_tcp(
    door: &str,
    addresses: &[SocketAddr],
) -> anyhow::Result<Vec<(SocketAddr, TcpListener)>> {
    let opened = service_manager::tcp_listeners(door, addresses);
    let mut listeners = Vec::new();
    for (address, listener) in opened.with_context(|| door.to_owned())? {
        listeners.push((address, TcpListener::from_std(listener)?));
    }
    for &address in addresses {
        if listeners.iter().all(|(opened, _)| *opened != address) {
            let listener = TcpListener::bind(address).await;
            let listener =
                listener.with_context(|| format!("{door} cannot listen at {address}"))?;
            listeners.push((address, listener));
        }
    }
    Ok(listeners)
}

/// What the service manager shows.
fn status(lab: &Lab) -> String {
    match lab.names().len() {
        1 => "STATUS=1 board".to_owned(),
        boards => format!("STATUS={boards} boards"),
    }
}

/// Shows the lab in numbers, where the configuration says so.
async fn open_metrics(lab: &Arc<Lab>, doorstep: &Arc<Doorstep>) -> anyhow::Result<()> {
    for (address, listener) in listen_tcp("metrics", &lab.config().metrics).await? {
        tracing::info!(%address, "metrics are open");
        tokio::spawn(metrics::serve(lab.clone(), doorstep.clone(), listener));
    }
    Ok(())
}

/// Opens the ssh door, if the configuration says so.
async fn open_ssh(lab: &Arc<Lab>, state: &Path, doorstep: &Arc<Doorstep>) -> anyhow::Result<()> {
    let Some(Ssh { listen, host_key }) = lab.config().ssh.clone() else { return Ok(()) };
    let folder = state.join("ssh");
    let host_key = match host_key {
        Some(file) => host_key::read(&file)?,
        None => host_key::own(&folder)?,
    };
    let own = std::env::current_exe().context("labd does not know where it is")?;
    let programs = own.parent().unwrap_or(Path::new("/")).to_owned();
    let key = host_key.fingerprint(HashAlg::Sha256);
    let (rooms, doorstep) = (folder.join("rooms"), doorstep.clone());
    let ground = ssh::Ground { programs, folder: rooms, host_key, doorstep };
    let door = ssh::Door::new(lab.clone(), ground).with_context(|| folder.display().to_string())?;
    if let Some(led) = lab.ssh_visitors() {
        tokio::spawn(door.clone().serve_led(led));
    }
    for (address, listener) in listen_tcp("ssh", &listen).await? {
        tracing::info!(%address, %key, "ssh is open");
        tokio::spawn(door.clone().serve(listener));
    }
    Ok(())
}

/// A runtime for a lab; and room for a descriptor per console, segment and viewer.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // What the system refuses is said when descriptors run out.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads can be had")
}

/// Binds a socket that `mode` may use; its folder is made if it is not there.
pub(super) fn bind(socket: &Path, mode: u32) -> anyhow::Result<UnixListener> {
    let folder = socket.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    listen::bind(socket, mode).with_context(|| socket.display().to_string())
}

/// A user's own socket is theirs. The system's is for everybody if the configuration says who may do
/// what; else whoever may open it is a user, so it is for the group `labd`.
fn mode(access: Option<&Access>) -> u32 {
    match (super::is_system(), access) {
        (false, _) => 0o600,
        (true, None) => 0o660,
        (true, Some(_)) => 0o666,
    }
}

/// A reload may say otherwise who is let in.
async fn keep_mode(lab: Arc<Lab>, socket: PathBuf) {
    let mut reloads = lab.reloads();
    while reloads.changed().await.is_ok() {
        let mode = Permissions::from_mode(mode(lab.config().access.as_ref()));
        if let Err(error) = std::fs::set_permissions(&socket, mode) {
            tracing::error!(socket = %socket.display(), %error, "it is open to whom it was open before");
        }
    }
}

/// Opens the door for those from elsewhere, if the configuration says so.
async fn open_tls(lab: &Arc<Lab>, doorstep: &Arc<Doorstep>) -> anyhow::Result<()> {
    let config = lab.config();
    let Some(settings) = &config.tls else { return Ok(()) };
    let door = tls::Door::new(lab.clone(), settings, doorstep.clone())
        .context("the door for those from elsewhere")?;
    for (address, listener) in listen_tcp("tls", &settings.listen).await? {
        tracing::info!(%address, name = settings.name, "the lab is open to those who are known");
        tokio::spawn(door.clone().serve(listener));
    }
    Ok(())
}

fn open_to_group(socket: &Path) -> anyhow::Result<()> {
    let group = Group::from_name(GROUP).ok().flatten().filter(|_| super::is_system());
    let Some(group) = group else { return Ok(()) };
    nix::unistd::chown(socket, None, Some(group.gid)).with_context(|| socket.display().to_string())
}

/// What the daemon is told by signal.
pub(super) struct Orders {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Orders {
    /// Listens from now on: what is told meanwhile is done when it is looked for.
    pub(super) fn listen() -> anyhow::Result<Orders> {
        Ok(Orders {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// SIGHUP reads the configuration again; SIGTERM and SIGINT end, also while that takes long.
    pub(super) async fn until_told(&mut self, lab: &Arc<Lab>) -> anyhow::Result<()> {
        let mut reloading = pin!(Fuse::terminated());
        loop {
            tokio::select! {
                _ = self.hangup.recv(), if reloading.is_terminated() => reloading.set(reload(lab).fuse()),
                done = &mut reloading, if !reloading.is_terminated() => done?,
                _ = self.terminate.recv() => return Ok(()),
                _ = self.interrupt.recv() => return Ok(()),
            }
        }
    }
}

async fn reload(lab: &Arc<Lab>) -> anyhow::Result<()> {
    let name: UserName = "labd".parse()?;
    service_manager::tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_micros()));
    match lab.reload(&Who::new(name, Role::Admin)).await {
        Ok(changes) => tracing::info!(?changes, "the configuration is taken over"),
        Err(error) => tracing::error!(?error, "the configuration is not taken over"),
    }
    service_manager::tell(&format!("READY=1\n{}", status(lab)));
    Ok(())
}
