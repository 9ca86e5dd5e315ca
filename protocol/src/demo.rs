//! Finding the demo, or starting it: a lab made of nothing, for whoever wants to look around.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::address::Address;
use crate::board::{Board, Filter};
use crate::client::Client;
use crate::error::Error;
use crate::power::PowerState;
use crate::time::Span;

/// A demo that does not answer within this time has failed to start.
const START: Duration = Duration::from_secs(10);

/// Boards that have no power after this time have none.
const WARM_UP: Duration = Duration::from_secs(2);

/// Makes sure that the user's demo runs. One that is started here ends `linger` after its last client
/// has left.
///
/// # Errors
/// [`Error::Unreachable`], with what to do, if labd is not found or does not start.
pub async fn find_or_start(linger: Span) -> Result<(), Error> {
    let address = Address::demo();
    if Client::connect(&address).await.is_ok() {
        return Ok(());
    }
    let failed = |why: String| Error::Unreachable { address: address.to_string(), why };
    let labd = labd();
    let mut demo = Command::new(&labd)
        .args(["demo", "--linger", &linger.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            failed(format!(
                "{} cannot be started ({error}); build it with 'cargo build --release'",
                labd.display()
            ))
        })?;
    let began = Instant::now();
    while began.elapsed() < START {
        if Client::connect(&address).await.is_ok() {
            return Ok(());
        }
        if let Ok(Some(_)) = demo.try_wait() {
            let said = demo.wait_with_output().map(|output| output.stderr).unwrap_or_default();
            let said = String::from_utf8_lossy(&said);
            return Err(failed(
                said.lines().last().unwrap_or("labd demo ended at once").to_owned(),
            ));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(failed(format!("labd demo did not answer within {} s", START.as_secs())))
}

/// The demo's board table, when every board has power that can have it, or after two seconds: a demo
/// that has just been started switches them on.
///
/// # Errors
/// [`Error::Unreachable`].
pub async fn table(address: &Address) -> Result<Vec<Board>, Error> {
    let lab = Client::connect(address).await?;
    let began = Instant::now();
    loop {
        let boards = lab.boards(Filter::default()).await?;
        let is_up = |board: &Board| matches!(board.power, PowerState::On | PowerState::None);
        if boards.iter().all(is_up) || began.elapsed() > WARM_UP {
            return Ok(boards);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The labd that belongs to this program: beside it, or else the one on the PATH.
fn labd() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name("labd"));
    beside.filter(|path| path.exists()).unwrap_or_else(|| "labd".into())
}

/// What to try in a demo.
pub fn next_steps(address: &Address) -> String {
    format!(
        "
This lab is made of nothing: break what you like. It answers at {address},
where labctl and labtui look by themselves if you have no other lab. Try:

  labtui                                  the whole lab on one screen
  labctl reserve imx8-1                   hold a board
  labctl power imx8-1 cycle               switch it, and see that it is done
  labctl console imx8-1                   attach to its console; Ctrl-T q leaves
  labctl run --class rk3588 -- env        run a command with any board of a class
  labctl journal imx8-1                   everything that happened to it"
    )
}
