//! The wall clock is set while labd is stopped: holds end neither early nor more than a second late.
//!
//! A lab's first run shows a wall clock that is off by hand; its second runs on the machine's, which
//! to the lab looks as if somebody had set it in between.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use lab_tests::patience::until;
use labd::clock::Clock;
use labd::config::Config;
use labd::lab::Lab;
use labd::lab::open::Failure;
use labd::memory;
use protocol::Span;
use protocol::hold::{Ask, Hold, IfTaken, Placed, Want};
use protocol::user::{Role, Who};
use tempfile::TempDir;

/// How long a hold lasts.
const SPAN: Duration = Duration::from_millis(2_500);

fn config() -> Result<Config> {
    let text = "classes { a { } }\nboards [ { name = one, class = a } ]";
    Config::parse(text, "lab.conf").map_err(|faults| anyhow::anyhow!("{faults:?}"))
}

async fn reserve(lab: &Arc<Lab>, span: Duration) -> Result<Hold> {
    let who = Who::new("ada".parse()?, Role::User);
    let ask = Ask {
        want: Want::Board { name: "one".parse()? },
        span: Some(Span::from(span)),
        if_taken: IfTaken::Refuse,
        grace: None,
        note: None,
        ssh_key: None,
    };
    match lab.reserve(&who, ask).await? {
        Placed::Held { hold } => Ok(hold),
        Placed::Queued { .. } => bail!("it is taken"),
    }
}

fn is_held(lab: &Arc<Lab>) -> Result<bool> {
    Ok(!lab.holds(&Who::new("ada".parse()?, Role::User)).is_empty())
}

/// Waits until nothing is held.
async fn is_over(lab: &Arc<Lab>) -> Result<()> {
    until(|| is_held(lab).is_ok_and(|held| !held)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_lasts_as_long_as_promised_though_the_clock_is_set_while_labd_is_stopped()
-> Result<()> {
    const HOUR: i64 = 3_600_000;
    let steps = [0, HOUR, -HOUR, 87_600 * HOUR, -24 * HOUR].map(|off| tokio::spawn(set_by(off)));
    for step in steps {
        step.await??;
    }
    Ok(())
}

/// The wall clock is set forward by `off` milliseconds between two runs.
async fn set_by(off: i64) -> Result<()> {
    let dir = TempDir::new()?;
    let before = Clock::by_hand(Clock::machine().now().shifted(-off));
    let lab = Lab::open(config()?, None, dir.path(), before).await?;
    reserve(&lab, SPAN).await?;
    let begun = Instant::now();
    tokio::task::spawn_blocking(move || lab.close()).await?;
    let lab = reopen(&dir).await?;
    is_over(&lab).await?;
    let lasted = begun.elapsed();
    ensure!(lasted < SPAN + Duration::from_secs(1), "set by {off} ms: it ends late");
    // The clock by hand stood still while the first run lasted: that much is not the lab's fault.
    ensure!(lasted + Duration::from_millis(50) >= SPAN, "set by {off} ms: ended after {lasted:?}");
    tokio::task::spawn_blocking(move || lab.close()).await?;
    Ok(())
}

/// Tasks of the first run may hold the folder for a moment longer.
async fn reopen(dir: &TempDir) -> Result<Arc<Lab>> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match Lab::open(config()?, None, dir.path(), Clock::machine()).await {
            Ok(lab) => return Ok(lab),
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(Failure::Memory(memory::Error::InUse(_))) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[tokio::test]
async fn a_hold_ends_when_its_time_is_up_and_not_before() -> Result<()> {
    let dir = TempDir::new()?;
    let clock = Clock::by_hand(Clock::machine().now());
    let lab = Lab::open(config()?, None, dir.path(), clock.clone()).await?;
    let hold = reserve(&lab, Duration::from_secs(3_600)).await?;
    clock.advance(Span(hold.until.since(clock.now()).0 - 1));
    // Longer than the lab takes to look at its clock by itself.
    let early = tokio::time::timeout(Duration::from_millis(1_200), is_over(&lab));
    ensure!(early.await.is_err(), "it ended a millisecond early");
    clock.advance(Span(1));
    let begun = Instant::now();
    is_over(&lab).await?;
    ensure!(begun.elapsed() < Duration::from_secs(1), "it ends late");
    Ok(())
}
