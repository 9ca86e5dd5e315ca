//! Boots: what is recognised of them, what becomes of them, and that a crash of the daemon loses none.

use anyhow::{Context, Result};
use lab_tests::daemon::Daemon;
use lab_tests::lab::{Plan, TestLab, boards, name};
use lab_tests::patience::soon;
use protocol::Span;
use protocol::boot::{Boot, Cause, Outcome};
use protocol::client::Client;
use protocol::journal::Event;
use protocol::power::PowerAsk;

fn reached(stage: &str) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::BootReached { stage: reached, .. } if reached == stage)
}

fn ended(event: &Event) -> bool {
    matches!(event, Event::BootEnded { .. })
}

/// The stages that a boot has reached.
fn stages(boot: &Boot) -> Vec<&str> {
    boot.stages.iter().map(|reached| reached.stage.as_str()).collect()
}

async fn boots(lab: &Client) -> Result<Vec<Boot>> {
    Ok(lab.boots(name("rpi4"), None).await?.boots)
}

#[tokio::test]
async fn a_boot_is_seen_from_power_to_login() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let root = lab.admin().await?;
    let mut journal = root.journal("rpi4").await?;
    let mut console = root.look_at("rpi4", protocol::console::From::Start).await?;
    root.power(name("rpi4"), PowerAsk::On).await?;
    let began = journal.event(|event| matches!(event, Event::BootBegan { .. })).await?;
    assert_eq!(began.event, Event::BootBegan { number: 1, cause: Cause::Power });
    // In pieces, in colour.
    for (piece, after) in [
        ("U-Boot SPL 2024.01\r\n\r\nU-Bo", 0),
        ("ot 2024.01 (Jan)\r\n", 500),
        ("\x1b[1mStarting ker\x1b[0mnel ...\r\n", 1_000),
        ("[    0.0] Linux version 6.6\r\n[    1.2] Run /init as init process\r\n", 100),
        ("\r\nbuildroot log", 2_000),
        ("in: ", 0),
    ] {
        lab.advance(Span::millis(after));
        lab.board("rpi4").print(piece).await?;
        console.until(piece).await?;
    }
    let done = journal.event(ended).await?;
    assert_eq!(
        done.event,
        Event::BootEnded { number: 1, outcome: Outcome::Done, after: Span(3_600) }
    );
    let known = boots(&root).await?;
    let [boot] = &known[..] else { anyhow::bail!("{known:?}") };
    assert_eq!(stages(boot), ["rom", "u-boot", "kernel", "init", "login"]);
    let after: Vec<_> = boot.stages.iter().map(|reached| reached.after.0).collect();
    assert_eq!(after, [0, 500, 1_500, 1_600, 3_600]);
    assert_eq!(boot.offset, 0);
    assert_eq!(boot.stages.last().map(|last| last.offset), Some(console.cursor()));
    assert_eq!(done.offset, Some(console.cursor()));
    Ok(())
}

#[tokio::test]
async fn a_panic_a_reset_and_the_loss_of_power_end_a_boot() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4"]).await?;
    let root = lab.admin().await?;
    let mut journal = root.journal("rpi4").await?;
    root.power(name("rpi4"), PowerAsk::On).await?;
    let board = lab.board("rpi4");
    board.print("U-Boot 2024.01\nKernel panic - not syncing: VFS\n").await?;
    journal.event(ended).await?;
    board.print("U-Boot 2024.01\n[ 0.0] Linux version 6\n").await?;
    journal.event(reached("kernel")).await?;
    board.print("U-Boot 2024.01\n").await?;
    journal.event(ended).await?;
    journal.event(reached("u-boot")).await?;
    root.power(name("rpi4"), PowerAsk::Cycle).await?;
    journal.event(|event| matches!(event, Event::BootBegan { number: 4, .. })).await?;
    let known = boots(&root).await?;
    let told: Vec<_> = known.iter().map(|boot| (boot.cause, boot.outcome)).collect();
    assert_eq!(
        told,
        [
            (Cause::Power, Outcome::Panicked),
            (Cause::Itself, Outcome::Cut),
            (Cause::Itself, Outcome::Cut),
            (Cause::Power, Outcome::Going),
        ]
    );
    Ok(())
}

#[tokio::test]
async fn a_boot_that_takes_longer_than_any_before_hangs_until_it_goes_on() -> Result<()> {
    let lab = TestLab::with_boards(&["rpi4", "rpi5"]).await?;
    let root = lab.admin().await?;
    let mut journal = root.journal("rpi5").await?;
    // The class learns from all its boards.
    for _ in 0..20 {
        root.power(name("rpi5"), PowerAsk::Cycle).await?;
        lab.advance(Span::seconds(1));
        lab.board("rpi5").print("U-Boot 2024.01\nrpi5 login: ").await?;
        journal
            .event(|event| matches!(event, Event::BootEnded { outcome: Outcome::Done, .. }))
            .await?;
    }
    let mut journal = root.journal("rpi4").await?;
    root.power(name("rpi4"), PowerAsk::On).await?;
    lab.advance(Span::millis(999));
    lab.board("rpi4").print("U-Boot 2024.01\n").await?;
    journal.event(reached("u-boot")).await?;
    lab.advance(Span::minutes(1));
    let hung = journal.event(|event| matches!(event, Event::BootHung { .. })).await?;
    assert_eq!(
        hung.event,
        Event::BootHung { number: 1, stage: Some("u-boot".into()), usual: Span(0) }
    );
    assert!(boots(&root).await?[0].hung);
    lab.board("rpi4").print("rpi4 login: ").await?;
    journal.event(ended).await?;
    let known = root.boots(name("rpi4"), None).await?;
    assert!(!known.boots[0].hung);
    assert_eq!(known.usual.len(), 2, "{:?}", known.usual);
    Ok(())
}

#[tokio::test]
async fn a_boot_goes_on_behind_a_crash_of_the_daemon() -> Result<()> {
    let mut labd = Daemon::start(Plan::new(boards(&["rpi4"]))).await?;
    let lab = labd.client().await?;
    lab.power(name("rpi4"), PowerAsk::On).await?;
    // It is not waited for that the daemon has written this down.
    labd.ground().board("rpi4").print("U-Boot 2024.01\n[ 0.0] Linux ver").await?;
    soon(async {
        while lab.board(name("rpi4")).await?.line.is_none_or(|line| line.end < 31) {
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    })
    .await??;
    labd.crash_and_restart().await?;
    let lab = labd.client().await?;
    labd.ground().board("rpi4").print("sion 6.6\nrpi4 login: ").await?;
    soon(async {
        while boots(&lab).await?.last().is_none_or(|boot| boot.outcome == Outcome::Going) {
            tokio::task::yield_now().await;
        }
        anyhow::Ok(())
    })
    .await??;
    let known = boots(&lab).await?;
    let boot = known.first().context("a boot")?;
    assert_eq!(stages(boot), ["u-boot", "kernel", "login"], "{known:?}");
    assert_eq!((known.len(), boot.cause, boot.outcome), (1, Cause::Power, Outcome::Done));
    Ok(())
}

#[tokio::test]
async fn simulated_boards_boot_as_boards_do() -> Result<()> {
    for (kind, wanted) in [
        ("uboot-arm64", ["rom", "u-boot", "kernel", "init", "login"]),
        ("uboot-riscv64", ["rom", "u-boot", "kernel", "init", "login"]),
        ("x86-uefi", ["rom", "grub", "kernel", "init", "login"]),
    ] {
        let config = format!(
            "classes {{ sim {{ }} }} boards [ {{ name = rpi4; class = sim;
             options = [ {{ cls = sim; kind = {kind}; seed = 7; speed = 500 }} ] }} ]"
        );
        let lab = Plan::new(config).open().await.with_context(|| kind.to_owned())?;
        let root = lab.admin().await?;
        let mut journal = root.journal("rpi4").await?;
        root.power(name("rpi4"), PowerAsk::On).await?;
        journal.event(ended).await.with_context(|| kind.to_owned())?;
        let known = boots(&root).await?;
        assert_eq!(known[0].outcome, Outcome::Done, "{kind}: {known:?}");
        assert_eq!(stages(&known[0]), wanted, "{kind}");
    }
    Ok(())
}
