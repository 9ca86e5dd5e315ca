//! Consoles on a terminal: its modes stay as they are, and no byte that nobody typed reaches the board.

use anyhow::Result;
use lab_tests::hostile::{Sequence, corpus};
use lab_tests::lab::{board, name};
use protocol::hold::Release;

use super::Scene;
use super::terminal::Terminal;

/// Ends whatever is open, and clears a board's own screen; then the mark.
fn mark(number: usize) -> (String, String) {
    let mark = format!("mark-{number}.");
    (format!("\x18\r\n\x1bc\x1b[0m\r\n{mark}\r\n"), mark)
}

/// One sequence after the other is printed; after each, the terminal is as it was before the first.
async fn assert_unmoved(scene: &Scene, terminal: &mut Terminal, outside: &[i32]) -> Result<()> {
    let rpi4 = scene.lab.board("rpi4");
    let (begin, begun) = mark(0);
    rpi4.print(begin).await?;
    terminal.until(&begun).await?;
    let (modes, done) = (terminal.screen.modes(), terminal.done.len());
    let rows = |terminal: &Terminal| -> Vec<_> {
        outside.iter().map(|row| terminal.screen.row(*row)).collect()
    };
    let before = rows(terminal);
    for (number, Sequence { name, bytes }) in corpus().into_iter().enumerate() {
        let (end, ended) = mark(number + 1);
        match number % 10 {
            // However the network cuts it.
            0 if bytes.len() < 100 => {
                for byte in &bytes {
                    rpi4.print([*byte]).await?;
                }
            }
            _ => rpi4.print(&bytes).await?,
        }
        rpi4.print(end).await?;
        terminal.until(&ended).await?;
        assert_eq!(terminal.screen.modes(), modes, "{name}");
        assert_eq!(rows(terminal), before, "{name}: rows outside");
        assert!(terminal.done.len() == done, "{name}: {:?}", &terminal.done[done..]);
        assert!(std::str::from_utf8(&terminal.written).is_ok(), "{name}: no text is written");
        terminal.written.clear();
    }
    Ok(())
}

/// The first key that is typed is the first byte that the board hears.
async fn assert_nothing_was_typed(scene: &Scene, terminal: &mut Terminal) -> Result<()> {
    terminal.type_in("X").await?;
    assert_eq!(scene.lab.board("rpi4").typed(1).await?, "X");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn labctls_console_keeps_its_terminal_as_it_is() -> Result<()> {
    let scene = Scene::new().await?;
    scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
    let mut terminal = Terminal::open(scene.program("labctl", &["console", "rpi4"])?)?;
    terminal.until("[rpi4: Ctrl-T q leaves").await?;
    assert_unmoved(&scene, &mut terminal, &[]).await?;
    assert_nothing_was_typed(&scene, &mut terminal).await?;
    terminal.type_in("\x14q").await?;
    assert_eq!(terminal.ended().await?, Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn labtui_keeps_its_terminal_and_its_own_rows_as_they_are() -> Result<()> {
    let scene = Scene::new().await?;
    scene.lab.user("ada").await?.reserve(board("rpi4")).await?;
    let mut terminal = Terminal::open(scene.program("labtui", &[])?)?;
    // It knows by now whose the board is.
    terminal.until("yours").await?;
    terminal.type_in("c").await?;
    terminal.until("pen: yours").await?;
    assert_unmoved(&scene, &mut terminal, &[23]).await?;
    assert_nothing_was_typed(&scene, &mut terminal).await?;
    terminal.type_in("\x14q").await?;
    terminal.until("Boards").await?;
    terminal.type_in("q").await?;
    assert_eq!(terminal.ended().await?, Some(0));
    Ok(())
}

/// What a board has printed, shown by every command that shows it on a terminal.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_printed_before_does_nothing_when_it_is_looked_at() -> Result<()> {
    let scene = Scene::new().await?;
    let ada = scene.lab.user("ada").await?;
    ada.reserve(board("rpi4")).await?;
    let mut look = ada.look_at("rpi4", protocol::console::From::End).await?;
    for Sequence { bytes, .. } in corpus() {
        scene.lab.board("rpi4").print(&bytes).await?;
        scene.lab.board("rpi4").print("\x18\r\n").await?;
    }
    scene.lab.board("rpi4").print("the last\r\n").await?;
    look.until("the last\r\n").await?;
    ada.release(name("rpi4"), Release::default()).await?;
    for (arguments, shown) in [
        (&["console", "rpi4", "--history"][..], "the last"),
        (&["console", "rpi4", "--since", "start", "--expect", "the last"], "done at @"),
        (
            &["console", "rpi4", "--since", "start", "--expect", "never", "--timeout", "1s"],
            "step 1: rpi4 did not print 'never' within 1s",
        ),
        (&["journal", "rpi4", "--console"], "| the last"),
        (&["boards"], "the last"),
        (&["--json", "boards"], "the last"),
        (&["--json", "journal", "rpi4"], "released"),
    ] {
        let mut terminal = Terminal::open(scene.program("labctl", arguments)?)?;
        let modes = terminal.screen.modes();
        terminal.read_out().await?;
        assert_eq!(terminal.screen.modes(), modes, "{arguments:?}");
        assert!(terminal.done.is_empty(), "{arguments:?}: {:?}", terminal.done);
        let written = std::str::from_utf8(&terminal.written);
        let written = written.unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        assert!(written.contains(shown), "{arguments:?}: {written:?}");
    }
    Ok(())
}
