//! What goes wrong on a line, as a terminal server tells it.

use anyhow::{Context, Result};
use lab_tests::lab::{Plan, boards, name};
use lab_tests::patience::soon;
use protocol::console::{ConsoleDetail, LineErrors};
use protocol::journal::Event;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::tcp::{AGREED, DO_COM_PORT, hears};

/// The mask of what is to be told; a server repeats it if it will.
const MASK: [u8; 5] = [44, 10, 0x1e, 255, 240];
const WILL_TELL: [u8; 7] = [255, 250, 44, 110, 0x1e, 255, 240];

fn line_state(state: u8) -> [u8; 7] {
    [255, 250, 44, 106, state, 255, 240]
}

#[tokio::test]
async fn errors_of_a_line_are_on_the_timeline_and_unknown_ones_are_not_none() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let console =
        format!("{{ cls = tcpconsole; host = \"127.0.0.1\"; port = {port}; protocol = rfc2217 }}");
    let config = boards(&["rpi4"]).replace("@console(rpi4)", &console);
    let lab = Plan::new(config).by_hand().open().await?;
    let (mut server, _) = soon(listener.accept()).await??;
    server.write_all(&[&AGREED[..], &DO_COM_PORT].concat()).await?;
    hears(&mut server, &MASK).await;
    let ada = lab.user("ada").await?;
    let mut follows = ada.look_at("rpi4", protocol::console::From::Start).await?;
    let detail = async || -> Result<ConsoleDetail> {
        ada.board(name("rpi4")).await?.line.context("a console")
    };
    server.write_all(b"not told\n").await?;
    follows.until("not told\n").await?;
    assert_eq!(detail().await?.quality, None);

    server.write_all(&[&WILL_TELL[..], b"told\n"].concat()).await?;
    follows.until("told\n").await?;
    let quality = detail().await?.quality.context("it is told")?;
    assert_eq!((quality.errors, quality.is_bad()), (Some(LineErrors::default()), false));

    let wrong = [&line_state(8)[..], &line_state(8 | 2), b"wrong\n"].concat();
    server.write_all(&wrong).await?;
    let is_it = |event: &Event| matches!(event, Event::LineErrors { .. });
    let entry = ada.journal("rpi4").await?.event(is_it).await?;
    let errors = LineErrors { framing: 2, overrun: 1, ..LineErrors::default() };
    assert_eq!(entry.event, Event::LineErrors { errors, bytes: 20 });
    assert_eq!((entry.offset, entry.who), (Some(20), None));
    server.write_all(&line_state(8).repeat(20)).await?;
    server.write_all(b"bad\n").await?;
    follows.until("bad\n").await?;
    assert!(detail().await?.quality.context("it is told")?.is_bad());
    Ok(())
}
