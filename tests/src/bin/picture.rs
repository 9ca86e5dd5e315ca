//! The README's picture, made from the real program: `labtui` in a real terminal, at the demo.
//!
//! ```sh
//! cargo build --workspace && cargo run -p lab-tests --bin picture contrib/labtui.svg
//! ```

use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use labtui::emulator::Emulator;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

const SIZE: (u16, u16) = (122, 26);
/// A cell of the picture.
const CELL: (f32, f32) = (8.4, 17.0);
/// A picture that takes longer is none.
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let target = std::env::args().nth(1).context("usage: picture FILE.svg")?;
    let folder = tempfile::tempdir()?;
    let target = std::path::absolute(target)?;
    // The picture shows the address: a short one looks better.
    std::env::set_current_dir(folder.path())?;
    let mut daemon = program("labd")?
        .args(["demo", "--socket", "demo.sock", "--dir", "state"])
        .stdout(Stdio::null())
        .spawn()?;
    let drawn = take("unix:demo.sock", Path::new("demo.sock"));
    daemon.kill()?;
    daemon.wait()?;
    File::create(&target)?.write_all(svg(&drawn?).as_bytes())?;
    Ok(())
}

/// The program that was built beside this one.
fn program(name: &str) -> Result<Command> {
    let path = std::env::current_exe()?.with_file_name(name);
    if !path.exists() {
        bail!("{} is not there; run 'cargo build --workspace' first", path.display());
    }
    Ok(Command::new(path))
}

/// Sets the scene, and looks at it.
fn take(lab: &str, socket: &Path) -> Result<Buffer> {
    let began = Instant::now();
    while !socket.exists() && began.elapsed() < LIMIT {
        std::thread::yield_now();
    }
    let labctl = |words: &[&str]| -> Result<()> {
        let status =
            program("labctl")?.args(words).env("LAB", lab).stdout(Stdio::null()).status()?;
        if status.success() { Ok(()) } else { bail!("labctl {} failed", words.join(" ")) }
    };
    labctl(&["reserve", "imx8-1", "--for", "3h", "--note", "the picture"])?;
    labctl(&[
        "console", "imx8-1", "--since", "boot", "--expect", "login: ", "--send", "root\\r",
        "--expect", "# ",
    ])?;
    labctl(&["console", "nuc-1", "--since", "boot", "--expect", "login: "])?;
    let size = Winsize { ws_col: SIZE.0, ws_row: SIZE.1, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(Some(&size), None)?;
    let end = || pty.slave.try_clone().map(Stdio::from);
    let mut tui = program("labtui")?
        .env("LAB", lab)
        .env("TERM", "xterm-256color")
        .env("LANG", "C.UTF-8")
        .env_remove("NO_COLOR")
        .stdin(end()?)
        .stdout(end()?)
        .stderr(end()?)
        .spawn()?;
    let drawn = watch(&mut File::from(pty.master), "the pen");
    end_program(&mut tui)?;
    drawn
}

fn end_program(tui: &mut Child) -> Result<()> {
    tui.kill()?;
    tui.wait()?;
    Ok(())
}

/// What is on the screen when it shows `text`, and nothing more has come for a moment.
fn watch(screen: &mut File, text: &str) -> Result<Buffer> {
    let mut emulator = Emulator::new(SIZE.0, SIZE.1);
    let mut bytes = vec![0; 64 * 1024];
    let began = Instant::now();
    let area = Rect::new(0, 0, SIZE.0, SIZE.1);
    while began.elapsed() < LIMIT {
        let mut ready = [PollFd::new(std::os::fd::AsFd::as_fd(screen), PollFlags::POLLIN)];
        if poll(&mut ready, PollTimeout::from(400_u16))? == 0 {
            let mut buffer = Buffer::empty(area);
            emulator.draw(area, &mut buffer);
            let shown: String = buffer.content().iter().map(|cell| cell.symbol()).collect();
            if shown.contains(text) {
                return Ok(buffer);
            }
            continue;
        }
        match screen.read(&mut bytes) {
            Ok(read @ 1..) => emulator.print(&bytes[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ => break,
        }
    }
    bail!("labtui never showed '{text}'")
}

/// The screen as a picture: a rectangle where there is a background, and each run of like cells as text.
fn svg(buffer: &Buffer) -> String {
    let (width, height) = (f32::from(SIZE.0) * CELL.0 + 16.0, f32::from(SIZE.1) * CELL.1 + 16.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#18191b\"/>\n"
    );
    for y in 0..SIZE.1 {
        let mut x = 0;
        while x < SIZE.0 {
            let style = buffer[(x, y)].style();
            let run: String = (x..SIZE.0)
                .map_while(|x| Some(&buffer[(x, y)]).filter(|cell| cell.style() == style))
                .map(|cell| cell.symbol())
                .collect();
            let cells = run.chars().count() as u16;
            push_run(&mut out, x, y, cells, &run, style);
            x += cells.max(1);
        }
    }
    out + "</svg>\n"
}

fn push_run(out: &mut String, x: u16, y: u16, cells: u16, run: &str, style: ratatui::style::Style) {
    let (left, top) = (8.0 + f32::from(x) * CELL.0, 8.0 + f32::from(y) * CELL.1);
    let length = f32::from(cells) * CELL.0;
    let mut colours = (colour(style.fg, "#d6d7d3"), colour(style.bg, ""));
    if style.add_modifier.contains(Modifier::REVERSED) {
        colours = (if colours.1.is_empty() { "#18191b".to_owned() } else { colours.1 }, colours.0);
    }
    // A String takes everything.
    if !colours.1.is_empty() {
        let _ = writeln!(
            out,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"{}\" fill=\"{}\"/>",
            CELL.1, colours.1
        );
    }
    if run.trim().is_empty() {
        return;
    }
    let weight =
        if style.add_modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
    let faint = if style.add_modifier.contains(Modifier::DIM) { " opacity=\"0.6\"" } else { "" };
    let text = run.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        out,
        "<text x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{length:.1}\" xml:space=\"preserve\" fill=\"{}\"{weight}{faint}>{text}</text>",
        top + 13.0,
        colours.0
    );
}

/// The colours that a terminal knows by number.
const SIXTEEN: [&str; 16] = [
    "#18191b", "#e06c75", "#62b260", "#d7a24b", "#61afef", "#c678dd", "#56a8a8", "#d6d7d3",
    "#7a7d80", "#e06c75", "#62b260", "#d7a24b", "#61afef", "#c678dd", "#56a8a8", "#ffffff",
];

fn colour(colour: Option<Color>, none: &str) -> String {
    match colour {
        Some(Color::Rgb(r, g, b)) => format!("#{r:02x}{g:02x}{b:02x}"),
        Some(Color::Indexed(index @ 0..16)) => SIXTEEN[usize::from(index)].to_owned(),
        _ => none.to_owned(),
    }
}
