//! The daemon killed in the middle of something; and at rest.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use lab_tests::daemon::Daemon;
use lab_tests::lab::{Plan, board, boards, file, held, name};
use lab_tests::patience::{until, until_told};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::Span;
use protocol::board::State;
use protocol::client;
use protocol::console::{From, Pen};
use protocol::hold::{Ask, Placed, Release};
use protocol::power::PowerAsk;
use protocol::wire::Follow;
use tokio::io::AsyncReadExt;

/// A lab whose setup script is this.
fn plan(script: &str) -> Plan {
    let config = format!("setup_script = \"@dir/setup\"\n{}", boards(&["rpi4"]));
    Plan::new(config).script("setup", &format!("#!/bin/sh\ncd @dir\n{script}\n"))
}

#[tokio::test]
async fn a_hold_that_a_crash_caught_in_its_setup_is_prepared_anew() -> Result<()> {
    let script = "echo \"$1\" >> runs\n[ $1 = release ] && exit 0\n\
        [ -e go ] || { touch waits; exec sleep 600; }\necho '{ \"ip\": \"10.0.0.7\" }'";
    let mut labd = Daemon::start(plan(script)).await?;
    let lab = labd.client().await?;
    let reserving = tokio::spawn(async move { lab.reserve(board("rpi4")).await });
    file(&labd.path("waits")).await?;
    fs::write(labd.path("go"), "")?;
    labd.crash_and_restart().await?;
    reserving.await?.unwrap_err();
    let lab = labd.client().await?;
    let number = lab.holds().await?[0].number;
    held(lab.placed(number, Span::minutes(1)).await?)?;
    assert_eq!(lab.board(name("rpi4")).await?.attributes["ip"], "10.0.0.7");
    assert_eq!(fs::read_to_string(labd.path("runs"))?, "reserve\nreserve\n");
    Ok(())
}

/// The lock goes with the last process that inherited it: who has it, runs.
#[tokio::test]
async fn what_a_dead_daemon_left_of_a_script_is_gone_before_the_script_is_run_again() -> Result<()>
{
    let script = "[ $1 = release ] && exit 0\necho run >> runs\nexec 9> lock\n\
        flock -n 9 || touch twice\n[ -e go ] && exit 0\n\
        setsid sleep 600 > /dev/null & sleep 600 & touch waits; wait";
    for crashes in [true, false] {
        let mut labd = Daemon::start(plan(script)).await?;
        let lab = labd.client().await?;
        let reserving = tokio::spawn(async move { lab.reserve(board("rpi4")).await });
        file(&labd.path("waits")).await?;
        fs::write(labd.path("go"), "")?;
        if crashes {
            labd.crash_and_restart().await?;
        } else {
            labd.terminate().await?;
            labd.start_again().await?;
        }
        reserving.await?.unwrap_err();
        let lab = labd.client().await?;
        let number = lab.holds().await?[0].number;
        held(lab.placed(number, Span::minutes(1)).await?)?;
        assert_eq!(fs::read_to_string(labd.path("runs"))?, "run\nrun\n");
        assert!(!labd.path("twice").exists(), "two ran at once");
    }
    Ok(())
}

/// What a command started is the administrator's, and what it is still doing is not.
#[tokio::test]
async fn what_a_dead_daemon_left_of_a_command_is_gone_and_what_the_command_started_is_not()
-> Result<()> {
    let script = "#!/bin/sh\ncd @dir\ncase $1 in\n\
        status) cat power ;;\n\
        on) [ -e started ] || { sleep 600 > /dev/null 2>&1 & echo $! > started; }; echo on > power ;;\n\
        off) exec 9> lock; flock -n 9 || touch twice\n\
            [ -e go ] || { touch waits; sleep 600; }; echo off > power ;;\nesac\n";
    let command = |verb: &str| format!(r#"{verb} = ["@dir/pdu", "{verb}"]"#);
    let outlet = format!("{}, {}, {}", command("on"), command("off"), command("status"));
    let config = boards(&["rpi4"])
        .replace("@outlet(rpi4)", &format!("{{ cls = command, limit = 1min, {outlet} }}"));
    let mut labd = Daemon::start(Plan::new(config).script("pdu", script)).await?;
    fs::write(labd.path("power"), "off\n")?;
    let lab = labd.client().await?;
    lab.power(name("rpi4"), PowerAsk::On).await?;
    let cycling = tokio::spawn(async move { lab.power(name("rpi4"), PowerAsk::Cycle).await });
    file(&labd.path("waits")).await?;
    let started = fs::read_to_string(labd.path("started"))?;
    fs::write(labd.path("go"), "")?;
    labd.crash_and_restart().await?;
    cycling.await?.unwrap_err();
    let lab = labd.client().await?;
    lab.power(name("rpi4"), PowerAsk::Cycle).await?;
    assert!(!labd.path("twice").exists(), "two ran at once");
    // One that has ended has no arguments left.
    let arguments = fs::read_to_string(format!("/proc/{}/cmdline", started.trim()))?;
    assert_eq!(arguments, "sleep\x00600\0");
    Ok(kill(Pid::from_raw(started.trim().parse()?), Signal::SIGKILL)?)
}

#[tokio::test]
async fn a_hold_whose_setup_fails_after_a_crash_is_undone() -> Result<()> {
    let script = "echo \"$1\" >> runs\n[ $1 = release ] && exit 0\n\
        [ -e go ] && exit 1\ntouch waits; exec sleep 600";
    let mut labd = Daemon::start(plan(script)).await?;
    let lab = labd.client().await?;
    let reserving = tokio::spawn(async move { lab.reserve(board("rpi4")).await });
    file(&labd.path("waits")).await?;
    fs::write(labd.path("go"), "")?;
    // A daemon that is told to end ends at once: the script is not waited for.
    assert!(labd.terminate().await?.success());
    labd.start_again().await?;
    reserving.await?.unwrap_err();
    let lab = labd.client().await?;
    until(|| fs::read_to_string(labd.path("runs")).is_ok_and(|runs| runs.ends_with("release\n")))
        .await?;
    let (mut table, _) = client::follow(&labd.address(), Follow::Boards).await?;
    while lab.board(name("rpi4")).await?.board.state != State::Free {
        client::next_line(&mut table).await?;
    }
    assert_eq!(lab.holds().await?, []);
    assert_eq!(fs::read_to_string(labd.path("runs"))?, "reserve\nreserve\nrelease\n");
    Ok(())
}

#[tokio::test]
async fn a_clean_up_that_a_crash_cut_short_is_done_anew() -> Result<()> {
    let script = "echo \"$1\" >> runs\n[ $1 = reserve ] && exit 0\n\
        [ -e go ] && exit 0\ntouch waits; exec sleep 600";
    let mut labd = Daemon::start(plan(script)).await?;
    let lab = labd.client().await?;
    lab.reserve(board("rpi4")).await?;
    let releasing =
        tokio::spawn(async move { lab.release(name("rpi4"), Release::default()).await });
    file(&labd.path("waits")).await?;
    fs::write(labd.path("go"), "")?;
    labd.crash_and_restart().await?;
    releasing.await?.unwrap_err();
    let lab = labd.client().await?;
    let again =
        lab.reserve(Ask { if_taken: protocol::hold::IfTaken::Queue, ..board("rpi4") }).await?;
    let number = match again {
        Placed::Held { hold } => hold.number,
        Placed::Queued { place } => place.number,
    };
    held(lab.placed(number, Span::minutes(1)).await?)?;
    assert_eq!(fs::read_to_string(labd.path("runs"))?, "reserve\nrelease\nrelease\nreserve\n");
    Ok(())
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_cycle_does_not_leave_the_board_off() -> Result<()> {
    let config = boards(&["rpi4"]).replace("dwell = 0s", "dwell = 500ms");
    let mut labd = Daemon::start(Plan::new(config)).await?;
    let lab = labd.client().await?;
    lab.power(name("rpi4"), PowerAsk::On).await?;
    let cycling = tokio::spawn(async move { lab.power(name("rpi4"), PowerAsk::Cycle).await });
    let outlet = labd.ground().outlet("rpi4");
    until(|| !outlet.is_on()).await?;
    labd.crash_and_restart().await?;
    cycling.await?.unwrap_err();
    until(|| outlet.is_on()).await?;
    assert_eq!(outlet.orders().first().map(String::as_str), Some("on"));
    assert_eq!(outlet.orders().last().map(String::as_str), Some("on"));
    Ok(())
}

#[tokio::test]
async fn consoles_and_journals_go_on_after_a_crash_where_they_were() -> Result<()> {
    let mut labd = Daemon::start(Plan::new(boards(&["rpi4"]))).await?;
    let console = |offset| Follow::Console {
        board: name("rpi4"),
        from: From::Offset { offset },
        pen: Pen::Unwanted,
        stop_at_end: false,
    };
    let mut offset = 0;
    for round in 0..3 {
        let (mut flow, welcome) = client::follow(&labd.address(), console(offset)).await?;
        assert_eq!(welcome.start, offset);
        let line = format!("round {round}\n");
        labd.ground().board("rpi4").print(&line).await?;
        let mut seen = vec![0; line.len()];
        lab_tests::patience::soon(flow.read_exact(&mut seen)).await??;
        assert_eq!(String::from_utf8_lossy(&seen), line);
        offset += line.len() as u64;
        labd.client().await?.note(name("rpi4"), line).await?;
        labd.crash_and_restart().await?;
    }
    let said = labd.client().await?.verify().await?;
    assert!(said[0].ends_with("every hash is right"), "{said:?}");
    Ok(())
}

/// How often the threads of a process have gone to sleep of their own will.
fn rests(process: u32) -> Result<u64> {
    let mut rests = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let status = fs::read_to_string(thread?.path().join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        rests += line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or_default();
    }
    Ok(rests)
}

#[tokio::test]
async fn a_lab_at_rest_sleeps() -> Result<()> {
    let labd = Daemon::start(Plan::new(boards(&["rpi4"]))).await?;
    labd.client().await?.boards(Default::default()).await?;
    // That nothing happens shows only after a while.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = rests(labd.pid())?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let woken = rests(labd.pid())? - before;
    eprintln!("a lab at rest wakes {woken} times a second");
    assert!(woken < 60, "a lab at rest woke {woken} times in a second");
    Ok(())
}

/// A reload waits until the job in hand is done, and whoever ends labd need not.
#[tokio::test(flavor = "multi_thread")]
async fn labd_ends_when_it_is_told_to_though_a_reload_waits_for_an_outlet() -> Result<()> {
    let slow = r#"{ cls = command, limit = 1h, on = ["/bin/sh", "-c", "touch @dir/begun; exec sleep 3600"],
        off = ["true"], status = ["echo", "off"] }"#;
    let config =
        boards(&["rpi4"]).replace("@outlet(rpi4)", slow).replace("limit = 3s", "limit = 1h");
    let mut labd = Daemon::start(Plan::new(&*config)).await?;
    let client = labd.client().await?;
    let switching = async {
        // It ends with labd.
        drop(client.power(name("rpi4"), PowerAsk::On).await);
        std::future::pending().await
    };
    let ending = async {
        file(&labd.path("begun")).await?;
        let after = config
            .replace(r#"off = ["true"]"#, r#"off = ["false"]"#)
            .replace("boards [", "boards [ { name = new; class = rpi },");
        labd.ground().configure(&after).await?;
        kill(Pid::from_raw(labd.pid().try_into()?), Signal::SIGHUP)?;
        until_told(async || Ok(labd.client().await?.board(name("new")).await.is_ok())).await?;
        labd.terminate().await
    };
    tokio::select! {
        never = switching => never,
        ended = ending => {
            assert!(ended?.success());
            Ok(())
        }
    }
}
