//! Serial consoles that are configured anew while they are used.

use std::time::{Duration, Instant};

use anyhow::Result;
use lab_tests::lab::{Plan, TestLab, board, boards, name};
use lab_tests::patience::{soon, until};
use lab_tests::person::Person;
use protocol::console::{ConsoleDetail, ConsoleState};
use protocol::journal::Event;
use protocol::user::{Role, Who};

use super::pty::Board;

/// The description of a lab whose boards have these consoles.
fn described(consoles: &[(&str, &Board)]) -> String {
    let names: Vec<_> = consoles.iter().map(|(name, _)| *name).collect();
    consoles.iter().fold(boards(&names), |text, (name, port)| {
        let device = port.path().display();
        let option = format!("{{ cls = serialconsole, device = \"{device}\" }}");
        text.replace(&format!("@console({name})"), &option)
    })
}

/// A lab in which ada holds `rpi4`; she, and an administrator.
async fn open(config: &str) -> Result<(TestLab, Person, Person)> {
    let lab = Plan::new(config).by_hand().open().await?;
    lab.settled().await?;
    let (ada, root) = (lab.user("ada").await?, lab.admin().await?);
    ada.reserve(board("rpi4")).await?;
    Ok((lab, ada, root))
}

fn line(lab: &TestLab, board: &str) -> Result<ConsoleDetail> {
    Ok(lab
        .lab()
        .detail(&Who::new("root".parse()?, Role::Admin), &name(board))?
        .line
        .expect("it has a console"))
}

#[tokio::test]
async fn another_pace_is_taken_while_traffic_flows_and_nothing_is_lost() -> Result<()> {
    let mut port = Board::new();
    let config = described(&[("rpi4", &port)]);
    let (mut lab, ada, root) = open(&config).await?;
    let mut console = ada.type_at("rpi4").await?;
    let paced = config.replace("class = rpi;", "class = rpi; pace { bytes = 3; every = 1ms }");
    lab.ground().configure(&paced).await?;
    let printing = async {
        for number in 0..2_000 {
            port.print(format!("line {number}\n").as_bytes()).await;
        }
    };
    let reloading = async {
        let half = console.until("line 999\n").await?;
        assert_eq!(root.reload().await?, ["rpi4: changed pace"]);
        anyhow::Ok(half + &console.until("line 1999\n").await?)
    };
    let ((), shown) = tokio::join!(printing, reloading);
    let printed: String = (0..2_000).map(|number| format!("line {number}\n")).collect();
    assert_eq!(shown?, printed);
    console.type_in("the pen is still ada's").await?;
    assert_eq!(port.take(22).await, b"the pen is still ada's");
    ada.note(name("rpi4"), "the end".to_owned()).await?;
    let noted = |event: &Event| matches!(event, Event::Noted { .. });
    let entries = ada.journal("rpi4").await?.entries_until(noted).await?;
    let opened = entries.iter().filter(|entry| entry.event == Event::ConsoleOpened);
    assert_eq!(opened.count(), 1, "{entries:#?}");
    assert!(!entries.iter().any(|entry| matches!(entry.event, Event::ConsoleLost { .. })));
    Ok(())
}

/// 115200 baud, and half of that; said otherwise, as fast as the device.
#[tokio::test]
async fn a_serial_port_is_typed_on_as_fast_as_a_boot_loader_reads() -> Result<()> {
    let mut port = Board::new();
    let config = described(&[("rpi4", &port)]);
    let (mut lab, ada, root) = open(&config).await?;
    let seat = ada.type_at("rpi4").await?;
    let mut paste = async || {
        let begun = Instant::now();
        let typed = ada.type_in(seat.session(), vec![b'x'; 3_200]);
        soon(futures::future::join(typed, port.take(3_200))).await?.0?;
        anyhow::Ok(begun.elapsed())
    };
    let paced = paste().await?;
    assert!(paced > Duration::from_millis(3) * 199, "{paced:?}");
    lab.ground().configure(&config.replace("class = rpi;", "class = rpi; pace = off;")).await?;
    assert_eq!(root.reload().await?, ["rpi4: changed pace"]);
    let at_once = paste().await?;
    assert!(at_once < paced, "{at_once:?} is no faster than {paced:?}");
    Ok(())
}

#[tokio::test]
async fn two_boards_swap_their_consoles_and_neither_finds_its_own_in_use() -> Result<()> {
    let (mut one, mut other) = (Board::new(), Board::new());
    let straight = described(&[("rpi4", &one), ("rpi5", &other)]);
    let crossed = described(&[("rpi4", &other), ("rpi5", &one)]);
    let (mut lab, ada, root) = open(&straight).await?;
    let mut console = ada.type_at("rpi4").await?;
    one.print(b"from one\n").await;
    assert_eq!(console.line().await?, "from one");
    let mut faults = Vec::new();
    // Who comes first is chance: often enough, so that it is found out.
    for config in [&crossed, &straight].into_iter().cycle().take(9) {
        lab.ground().configure(config).await?;
        assert_eq!(root.reload().await?, ["rpi4: changed console", "rpi5: changed console"]);
        until(|| {
            let lines = ["rpi4", "rpi5"].map(|board| line(&lab, board).expect("a board"));
            faults.extend(lines.iter().filter_map(|line| line.fault.clone()));
            lines.iter().all(|line| line.state == ConsoleState::Open)
        })
        .await?;
    }
    assert!(!faults.iter().any(|fault| fault.contains("in use")), "{faults:?}");
    other.print(b"from the other\n").await;
    assert_eq!(console.line().await?, "from the other", "who looked goes on looking");
    console.type_in("typed").await?;
    assert_eq!(soon(other.take(5)).await?, b"typed", "and has the pen still");
    Ok(())
}
