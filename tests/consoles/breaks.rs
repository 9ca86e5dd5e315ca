//! BREAKs on a console that somebody types on, behind a terminal server that is played here.

use anyhow::{Result, bail};
use lab_tests::follower::Follower;
use lab_tests::lab::{Plan, TestLab, board, boards, held, name};
use lab_tests::person::Person;
use nix::sys::socket::{setsockopt, sockopt};
use protocol::console::{From, PenAsk};
use protocol::hold::{Hold, Release};
use protocol::journal::Event;
use protocol::{Error, Span};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::soon;
use super::tcp::{AGREED, DO_COM_PORT, hears};

pub(super) const ON: [u8; 7] = [255, 250, 44, 5, 5, 255, 240];
pub(super) const OFF: [u8; 7] = [255, 250, 44, 5, 6, 255, 240];
const SUSPEND: [u8; 6] = [255, 250, 44, 108, 255, 240];

/// A lab whose board is behind a server of ours, and ada, who has the pen.
pub(super) struct Bench {
    pub(super) lab: TestLab,
    pub(super) server: TcpStream,
    pub(super) ada: Person,
    hold: Hold,
    seat: Follower,
}

impl Bench {
    pub(super) async fn new(protocol: &str, pace: &str) -> Result<Bench> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        // A connection that nobody reads is full soon.
        setsockopt(&listener, sockopt::RcvBuf, &4096)?;
        let port = listener.local_addr()?.port();
        let console = format!(
            "{{ cls = tcpconsole, host = \"127.0.0.1\", port = {port}, protocol = {protocol} }}"
        );
        let config = boards(&["rpi4"])
            .replace("@console(rpi4)", &console)
            .replace("class = rpi;", &format!("class = rpi; {pace};"));
        let hello = async {
            let (mut server, _) = listener.accept().await?;
            server.write_all(&[&AGREED[..], &DO_COM_PORT].concat()).await?;
            anyhow::Ok(server)
        };
        let (lab, server) = tokio::try_join!(Plan::new(config).open(), hello)?;
        lab.settled().await?;
        let ada = lab.user("ada").await?;
        let hold = held(ada.reserve(board("rpi4")).await?)?;
        let seat = ada.type_at("rpi4").await?;
        Ok(Bench { lab, server, ada, hold, seat })
    }

    async fn send_break(&self, span: Span) -> Result<(), Error> {
        soon(self.ada.send_break(self.seat.session(), span)).await
    }
}

#[tokio::test]
async fn a_break_does_not_wait_behind_a_paste() -> Result<()> {
    let mut bench = Bench::new("rfc2217", "pace { bytes = 16; every = 10ms }").await?;
    let pasting = bench.ada.type_in(bench.seat.session(), vec![b'x'; 12_000]);
    let breaking = async {
        hears(&mut bench.server, b"x").await;
        let broken = bench.ada.send_break(bench.seat.session(), Span::millis(1));
        let heard = async {
            hears(&mut bench.server, &ON).await;
            hears(&mut bench.server, &OFF).await;
        };
        soon(futures::future::join(broken, heard)).await.0
    };
    tokio::select! {
        pasted = pasting => bail!("the paste came first: {pasted:?}"),
        broken = breaking => Ok(broken?),
    }
}

#[tokio::test]
async fn a_break_does_not_wait_behind_a_board_that_takes_nothing() -> Result<()> {
    let mut bench = Bench::new("rfc2217", "").await?;
    bench.server.write_all(&[&SUSPEND[..], b"stop"].concat()).await?;
    bench.seat.until("stop").await?;
    let stuck = bench.ada.type_in(bench.seat.session(), vec![b'x'; 12_000]);
    tokio::select! {
        biased;
        typed = stuck => bail!("a board that is stuck has taken it: {typed:?}"),
        broken = bench.send_break(Span::millis(1)) => Ok(broken?),
    }
}

#[tokio::test]
async fn a_break_that_cannot_begin_is_given_up_and_that_is_said() -> Result<()> {
    let bench = Bench::new("telnet", "").await?;
    let mut journal = bench.ada.journal("rpi4").await?;
    let typing = async {
        loop {
            bench.ada.type_in(bench.seat.session(), vec![b'x'; 12_000]).await?;
        }
    };
    let breaking = async {
        loop {
            if let Err(why) = bench.send_break(Span::millis(1)).await {
                return why.to_string();
            }
        }
    };
    let why = tokio::select! {
        never = typing => return never,
        why = breaking => why,
    };
    assert!(
        why.starts_with("the console of rpi4 sends no BREAK: the device has not taken"),
        "{why}"
    );
    let noted = |event: &Event| matches!(event, Event::Noted { text } if text.starts_with("a BREAK could not be sent"));
    journal.event(noted).await?;
    Ok(())
}

#[tokio::test]
async fn a_break_ends_with_the_hold() -> Result<()> {
    let mut bench = Bench::new("rfc2217", "").await?;
    let ending = async {
        hears(&mut bench.server, &ON).await;
        bench.ada.release(name("rpi4"), Release::default()).await
    };
    let broken = bench.ada.send_break(bench.seat.session(), Span::seconds(3));
    let (broken, ended) = soon(futures::future::join(broken, ending)).await;
    ended?;
    let how = "it ended before all was typed".to_owned();
    let over = Error::HoldOver { board: name("rpi4"), number: bench.hold.number, how };
    assert_eq!(broken, Err(over));
    hears(&mut bench.server, &OFF).await;
    Ok(())
}

#[tokio::test]
async fn a_break_ends_when_the_pen_is_taken_away() -> Result<()> {
    let mut bench = Bench::new("rfc2217", "").await?;
    let root = bench.lab.admin().await?;
    let look = root.look_at("rpi4", From::End).await?;
    let forcing = async {
        hears(&mut bench.server, &ON).await;
        root.pen(look.session(), PenAsk::Force { reason: "stop".to_owned() }).await
    };
    let broken = bench.ada.send_break(bench.seat.session(), Span::seconds(3));
    let (broken, forced) = soon(futures::future::join(broken, forcing)).await;
    forced?;
    assert_eq!(broken, Err(Error::NoPen { board: name("rpi4"), of: Some("root".parse()?) }));
    hears(&mut bench.server, &OFF).await;
    Ok(())
}
