//! The reader's terminal: taken, and given back as it was, however the program ends.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::execute;
use crossterm::style::{Attribute, SetAttribute};
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use nix::sys::signal::{Signal, raise};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;

use crate::background::QUESTION;

/// Something to draw on.
pub type Screen = Terminal<CrosstermBackend<BufWriter<Stdout>>>;

/// Whether the terminal is ours at the moment.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Whether the mouse is ours, too, while the terminal is.
static MOUSE: AtomicBool = AtomicBool::new(false);

/// Gives the terminal back when dropped.
pub struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

/// Why labtui does not start here.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Not a terminal.
    #[error("labtui draws on a terminal, and this is none; labctl prints the same: labctl boards")]
    NoTerminal,
    /// A terminal that can only print.
    #[error("labtui cannot draw where TERM is '{0}'; labctl prints the same: labctl boards")]
    Dumb(String),
}

/// Whether labtui can draw here.
///
/// # Errors
/// Why not, and what to use instead.
pub fn check() -> Result<(), Unfit> {
    let term = std::env::var("TERM").unwrap_or_default();
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        Err(Unfit::NoTerminal)
    } else if matches!(term.as_str(), "" | "dumb" | "unknown") {
        Err(Unfit::Dumb(term))
    } else {
        Ok(())
    }
}

/// Takes the terminal; also a panic gives it back.
pub fn open() -> io::Result<(Screen, Guard)> {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        restore();
        print(panic);
    }));
    let guard = Guard;
    take()?;
    let backend = CrosstermBackend::new(BufWriter::with_capacity(64 * 1024, io::stdout()));
    Ok((Terminal::new(backend)?, guard))
}

fn take() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide)?;
    if MOUSE.load(Ordering::SeqCst) { execute!(io::stdout(), EnableMouseCapture) } else { Ok(()) }
}

/// Takes the mouse, or leaves it to the terminal, which selects text with it.
pub fn set_mouse(taken: bool) -> io::Result<()> {
    match (MOUSE.swap(taken, Ordering::SeqCst), taken) {
        (false, true) => execute!(io::stdout(), EnableMouseCapture),
        (true, false) => execute!(io::stdout(), DisableMouseCapture),
        _ => Ok(()),
    }
}

/// Asks the terminal what its background is. It answers among the keys. Linux' own console is not
/// asked: it would print a part of the question.
pub fn ask_background() -> io::Result<()> {
    if std::env::var_os("TERM").is_some_and(|term| term == "linux") {
        return Ok(());
    }
    let mut out = io::stdout();
    out.write_all(QUESTION.as_bytes())?;
    out.flush()
}

/// Whether the terminal is still ours. It is not after a panic in any task.
pub fn is_taken() -> bool {
    TAKEN.load(Ordering::SeqCst)
}

/// Gives the terminal back. What cannot be undone, since it is gone, is left.
fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let mut out = io::stdout();
        let plain = SetAttribute(Attribute::Reset);
        if MOUSE.load(Ordering::SeqCst) {
            let _ = execute!(out, DisableMouseCapture);
        }
        let _ = execute!(out, plain, DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = out.flush();
        let _ = disable_raw_mode();
    }
}

/// Gives the terminal back, stops until the shell continues the program, and takes it again.
pub fn suspend(screen: &mut Screen) -> io::Result<()> {
    restore();
    raise(Signal::SIGTSTP)?;
    take()?;
    repaint(screen)
}

/// Forgets what is on the screen, so that all of it is drawn anew.
/// `Terminal::clear` would ask the terminal where its cursor is, and wait two seconds for an answer.
pub fn repaint(screen: &mut Screen) -> io::Result<()> {
    let size = screen.size()?;
    screen.resize(Rect::new(0, 0, size.width, size.height))
}
