//! Everything that flows: each follower is a cursor, and waits for what is new.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use protocol::board::{Board, BoardName, Filter};
use protocol::console::{From, Pen};
use protocol::journal::Entry;
use protocol::replay::Moment;
use protocol::send::{File, Sending};
use protocol::user::{Verb, Who};
use protocol::wire::{self, Follow, Welcome};
use protocol::{Error, carry, limits};
use serde::Serialize;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, duplex, split,
};
use tokio::sync::{oneshot, watch};

use crate::journal::recording::frames::Frame;
use crate::journal::search::Searcher;
use crate::journal::{Cursor, Recording, Replay};
use crate::lab::Lab;
use crate::lab::tunnel::SSH;
use crate::rules::access;

/// A follower's only buffer.
const BUFFER: usize = 64 * 1024;
/// So much is read of what somebody types at once.
const TYPED: usize = 4 * 1024;
/// Changes of the board table within this time are sent as one.
const TABLE_REST: Duration = Duration::from_millis(50);

/// Serves a follower until either side ends.
///
/// # Errors
/// The connection's.
pub async fn serve(
    lab: Arc<Lab>,
    who: Who,
    what: Follow,
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    if let Err(why) = access::may(&who, Verb::See) {
        return wire::refuse(&mut stream, &why).await;
    }
    match what {
        Follow::Console { .. } => console(lab, who, what, stream).await,
        Follow::Journal { board, from, since, tail, stop_at_end } => {
            if let Some(board) = &board
                && let Err(why) = lab.has_known(&who, board).await
            {
                return wire::refuse(&mut stream, &why).await;
            }
            let cursor = match (from, since) {
                (from, Some(since)) => {
                    let from = from.unwrap_or_default();
                    Cursor::since(lab.ledger(), board, since, from).await
                }
                (Some(from), None) => Ok(Cursor::new(lab.ledger(), board, from)),
                (None, None) => Cursor::tail(lab.ledger(), board, tail).await,
            };
            match cursor {
                Ok(cursor) => journal(lab, who, cursor, stop_at_end, stream).await,
                Err(error) => refuse(&mut stream, "the ledger", error).await,
            }
        }
        Follow::Replay { board, from, until, stop_at_end } => {
            let until = until.or(stop_at_end.then_some(From::End));
            match lab.replay(&who, &board, from, until).await {
                Ok(replay) => self::replay(lab, who, board, replay, until.is_some(), stream).await,
                Err(why) => wire::refuse(&mut stream, &why).await,
            }
        }
        Follow::Send { board, file } => send(lab, who, &board, file, stream).await,
        Follow::Desk { board } => desk(lab, who, &board, stream).await,
        Follow::Boards => boards(lab, who, stream).await,
        Follow::Keep { number } => match lab.keep(&who, number) {
            Ok(_kept) => {
                wire::accept(&mut stream, &Welcome::default()).await?;
                let (mut read, _write) = split(stream);
                let kept = async {
                    lab.until_over(&who, number).await;
                    Ok(())
                };
                until_over(&lab, &mut read, kept).await
            }
            Err(why) => wire::refuse(&mut stream, &why).await,
        },
        Follow::Tunnel { board, port } => tunnel(&lab, &who, &board, port, stream).await,
        Follow::Export => match lab.export(&who).await {
            Ok(snapshot) => {
                wire::accept(&mut stream, &Welcome::default()).await?;
                stream.write_all((snapshot.lines().join("\n") + "\n").as_bytes()).await?;
                stream.shutdown().await
            }
            Err(why) => wire::refuse(&mut stream, &why).await,
        },
        Follow::Search(ask) => match lab.search(&who, ask) {
            Ok(searcher) => search(lab, who, searcher, stream).await,
            Err(why) => wire::refuse(&mut stream, &why).await,
        },
    }
}

/// Carries bytes to and from a board, until either side has had enough or the hold ends.
async fn tunnel(
    lab: &Lab,
    who: &Who,
    board: &BoardName,
    port: Option<u16>,
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    let opened = async {
        let mut tunnel = lab.tunnel(who, board.as_str(), port.unwrap_or(SSH).into()).await?;
        Ok((tunnel.connect().await?, tunnel))
    };
    let (there, mut tunnel) = match opened.await {
        Ok(opened) => opened,
        Err(why) => return wire::refuse(&mut stream, &why).await,
    };
    wire::accept(&mut stream, &Welcome::default()).await?;
    let mut ending = lab.ending();
    tokio::select! {
        carried = carry::both(stream, there) => carried,
        () = tunnel.until_over() => Ok(()),
        _ = ending.changed() => Ok(()),
    }
}

async fn refuse(
    stream: &mut (impl AsyncWrite + Unpin),
    device: &str,
    error: impl ToString,
) -> io::Result<()> {
    let why = Error::Device { device: device.to_owned(), why: error.to_string() };
    wire::refuse(stream, &why).await
}

/// Does `work` until it is done, the lab ends, or the follower closes the connection.
async fn until_over(
    lab: &Lab,
    read: &mut ReadHalf<impl AsyncRead>,
    work: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    let mut ending = lab.ending();
    let mut ignored = [0; 64];
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = ending.changed() => return Ok(()),
            read = read.read(&mut ignored) => if read? == 0 { return Ok(()) },
        }
    }
}

async fn console(
    lab: Arc<Lab>,
    who: Who,
    what: Follow,
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    let Follow::Console { board, from, pen, stop_at_end } = what else { return Ok(()) };
    let (mut viewer, ended) = match lab.attach(&who, &board, from, pen).await {
        Ok(viewer) => viewer,
        Err(Error::NoSuch { .. } | Error::Lacks { .. }) if stop_at_end && pen == Pen::Unwanted => {
            return past(&lab, &who, &board, from, stream).await;
        }
        Err(why) => return wire::refuse(&mut stream, &why).await,
    };
    let Frame { offset: start, paint } = std::mem::take(&mut viewer.begin);
    let (session, painted) = (viewer.session, paint.len() as u64);
    wire::accept(&mut stream, &Welcome { start, session, painted, ..Welcome::default() }).await?;
    let (mut read, write) = split(stream);
    let recording = viewer.recording().clone();
    let stop = stop_at_end.then(|| recording.end());
    let show = async {
        match show(&recording, start, stop, paint, write).await {
            Ok(()) => Ok(()),
            // Whoever has left sees nothing more, but what they typed before is still to be read.
            Err(_) => std::future::pending().await,
        }
    };
    let typing = async {
        let mut typed = vec![0; TYPED];
        loop {
            match read.read(&mut typed).await? {
                0 => return Ok(()),
                // There is no way back but the console's own bytes: who must know calls.
                read => viewer.press(typed[..read].to_vec()).await,
            }
        }
    };
    let served = async {
        tokio::select! {
            done = show => done,
            done = typing => done,
        }
    };
    let mut ending = lab.ending();
    tokio::select! {
        // What the board prints when it is over is not shown any more.
        biased;
        _ = ended => Ok(()),
        () = lab.until_hidden(&who, &board) => Ok(()),
        _ = ending.changed() => Ok(()),
        done = served => done,
    }
}

/// Sends what is kept of a console that is no longer in the lab.
async fn past(
    lab: &Lab,
    who: &Who,
    board: &BoardName,
    from: From,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<()> {
    match lab.past(who, board, from).await {
        Ok((recording, Frame { offset: start, paint })) => {
            let painted = paint.len() as u64;
            let welcome = Welcome { start, painted, ..Welcome::default() };
            wire::accept(&mut stream, &welcome).await?;
            let (_read, write) = split(stream);
            show(&recording, start, Some(recording.end()), paint, write).await
        }
        Err(why) => wire::refuse(&mut stream, &why).await,
    }
}

/// Sends what paints the screen, and then a recording from `offset` on, and what is new as it comes. What is no longer kept when it is
/// due ends the connection: the follower comes back, and is told where the bytes begin.
async fn show<IO: AsyncWrite>(
    recording: &Arc<Recording>,
    mut offset: u64,
    stop: Option<u64>,
    paint: Vec<u8>,
    mut to: WriteHalf<IO>,
) -> io::Result<()> {
    to.write_all(&paint).await?;
    drop(paint);
    let mut growth = recording.growth();
    let mut buffer = vec![0; BUFFER];
    loop {
        let end = *growth.borrow_and_update();
        while offset < end {
            let (start, read) = read_at(recording, offset, &mut buffer).await?;
            if start != offset || read == 0 {
                return Ok(());
            }
            to.write_all(&buffer[..read]).await?;
            offset += read as u64;
        }
        if stop.is_some_and(|stop| offset >= stop) || growth.changed().await.is_err() {
            return to.shutdown().await;
        }
    }
}

/// What is new is in the page cache; what is old may have to come from the disk.
async fn read_at(
    recording: &Arc<Recording>,
    offset: u64,
    buffer: &mut Vec<u8>,
) -> io::Result<(u64, usize)> {
    const NEW: u64 = 8 << 20;
    if offset + NEW > recording.end() {
        return recording.read(offset, buffer);
    }
    let (recording, mut owned) = (recording.clone(), std::mem::take(buffer));
    let (outcome, owned) = tokio::task::spawn_blocking(move || {
        let outcome = recording.read(offset, &mut owned);
        (outcome, owned)
    })
    .await?;
    *buffer = owned;
    outcome
}

async fn journal(
    lab: Arc<Lab>,
    who: Who,
    mut cursor: Cursor,
    stop_at_end: bool,
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    wire::accept(&mut stream, &Welcome { start: cursor.position(), ..Welcome::default() }).await?;
    let (mut read, mut write) = split(stream);
    let tell = async {
        loop {
            let mut lines = Vec::new();
            while let Some(committed) = cursor.at_hand().await.map_err(io::Error::other)? {
                tell_entry(&lab, &who, &committed.entry, &mut lines)?;
                if lines.len() >= BUFFER {
                    break;
                }
            }
            if lines.is_empty() {
                if stop_at_end {
                    return write.shutdown().await;
                }
                match cursor.next().await.map_err(io::Error::other)? {
                    Some(committed) => tell_entry(&lab, &who, &committed.entry, &mut lines)?,
                    None => return Ok(()),
                }
            }
            write.write_all(&lines).await?;
        }
    };
    until_over(&lab, &mut read, tell).await
}

/// Sends what is found. Whoever reads slowly is searched for slowly.
async fn search(
    lab: Arc<Lab>,
    who: Who,
    mut searcher: Searcher,
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    wire::accept(&mut stream, &Welcome::default()).await?;
    let (mut read, mut write) = split(stream);
    let tell = async {
        let mut lines = Vec::new();
        loop {
            let (searched, found) = lab.find_more(&who, searcher).await?;
            let Some(hits) = found else { break };
            searcher = searched;
            lines.clear();
            hits.iter().try_for_each(|hit| push_line(&mut lines, hit))?;
            write.write_all(&lines).await?;
        }
        write.write_all(b"\n").await?;
        write.shutdown().await
    };
    until_over(&lab, &mut read, tell).await
}

async fn replay(
    lab: Arc<Lab>,
    who: Who,
    board: BoardName,
    mut replay: Replay,
    stop_at_end: bool,
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    wire::accept(&mut stream, &Welcome { start: replay.position(), ..Welcome::default() }).await?;
    let (mut read, mut write) = split(stream);
    let tell = async {
        loop {
            let moments = replay.at_hand().await?;
            if moments.is_empty() && (stop_at_end || !replay.grows().await?) {
                return write.shutdown().await;
            }
            let mut lines = Vec::new();
            for moment in moments {
                if let Some(moment) = shown(&lab, &who, moment) {
                    push_line(&mut lines, &moment)?;
                }
            }
            write.write_all(&lines).await?;
        }
    };
    let tell = async {
        tokio::select! {
            biased;
            () = lab.until_hidden(&who, &board) => Ok(()),
            told = tell => told,
        }
    };
    until_over(&lab, &mut read, tell).await
}

/// A moment as somebody may see it.
fn shown(lab: &Lab, who: &Who, moment: Moment) -> Option<Moment> {
    match moment {
        Moment::Happened { entry } => Some(Moment::Happened { entry: lab.readable(who, &entry)? }),
        printed => Some(printed),
    }
}

async fn boards(
    lab: Arc<Lab>,
    who: Who,
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    wire::accept(&mut stream, &Welcome::default()).await?;
    let (mut read, mut write) = split(stream);
    let tell = async {
        let mut changes = lab.changes().subscribe();
        let mut seen = *changes.borrow_and_update();
        let all = || Ok(lab.rows(&who, &Filter::default()));
        let rows = lab.told(all).await.map_err(io::Error::other)?;
        let mut shown: BTreeSet<BoardName> = rows.iter().map(|row| row.name.clone()).collect();
        let mut lines = Vec::new();
        rows.iter().try_for_each(|row| push_line(&mut lines, row))?;
        lines.push(b'\n');
        loop {
            write.write_all(&lines).await?;
            tokio::time::sleep(TABLE_REST).await;
            if changes.changed().await.is_err() {
                return Ok(());
            }
            lines.clear();
            let since = std::mem::replace(&mut seen, newest(&mut changes));
            let changed = || Ok(lab.rows_since(&who, since));
            let rows = lab.told(changed).await.map_err(io::Error::other)?;
            rows.iter().try_for_each(|row| push_line(&mut lines, row))?;
            let names: BTreeSet<BoardName> = lab.names_seen(&who).into_iter().collect();
            for gone in shown.difference(&names) {
                push_line(&mut lines, &Board::gone(gone.clone()))?;
            }
            shown = names;
        }
    };
    until_over(&lab, &mut read, tell).await
}

/// Says who is at a console, and again whenever that has changed.
async fn desk(
    lab: Arc<Lab>,
    who: Who,
    board: &BoardName,
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    let line = match lab.line(&who, board) {
        Ok(line) => line,
        Err(why) => return wire::refuse(&mut stream, &why).await,
    };
    wire::accept(&mut stream, &Welcome::default()).await?;
    let (mut read, mut write) = split(stream);
    let tell = async {
        let mut seating = line.seating();
        loop {
            seating.mark_unchanged();
            let mut lines = Vec::new();
            push_line(&mut lines, &line.desk())?;
            write.write_all(&lines).await?;
            tokio::time::sleep(TABLE_REST).await;
            if seating.changed().await.is_err() {
                return Ok(());
            }
        }
    };
    tokio::select! {
        told = until_over(&lab, &mut read, tell) => told,
        () = lab.until_hidden(&who, board) => Ok(()),
    }
}

/// Has a file sent through a console, and tells how that goes. Whoever leaves, or says more than the file,
/// cancels it.
async fn send(
    lab: Arc<Lab>,
    who: Who,
    board: &BoardName,
    file: File,
    mut stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    let size = file.size;
    let upload = match limits::file(&file.name).and_then(|()| lab.begin_to_send(&who, board, file))
    {
        Ok(upload) => upload,
        Err(why) => return wire::refuse(&mut stream, &why).await,
    };
    wire::accept(&mut stream, &Welcome::default()).await?;
    let (mut read, mut write) = split(stream);
    let (mut up, source) = duplex(BUFFER);
    let (taken, mut progress) = watch::channel(0);
    let (cancel, cancelled) = oneshot::channel::<()>();
    let mut ending = lab.ending();
    let cancelled = async {
        tokio::select! {
            _ = cancelled => {}
            _ = ending.changed() => {}
            () = lab.until_hidden(&who, board) => {}
        }
    };
    let receive = async {
        // A source that ends too early says so itself.
        let _ = tokio::io::copy(&mut (&mut read).take(size), &mut up).await;
        let _ = read.read_u8().await;
        drop(cancel);
        std::future::pending().await
    };
    let tell = async {
        while progress.changed().await.is_ok() {
            let bytes = *progress.borrow_and_update();
            if tell_sending(&mut write, &Sending::Taken { bytes }).await.is_err() {
                break;
            }
            tokio::time::sleep(TABLE_REST).await;
        }
        std::future::pending().await
    };
    let sent = tokio::select! {
        sent = upload.run(source, &taken, cancelled) => sent,
        () = receive => return Ok(()),
        () = tell => return Ok(()),
    };
    tell_sending(&mut write, &sent).await?;
    write.shutdown().await
}

async fn tell_sending(to: &mut (impl AsyncWrite + Unpin), what: &Sending) -> io::Result<()> {
    let mut line = Vec::new();
    push_line(&mut line, what)?;
    to.write_all(&line).await
}

fn tell_entry(lab: &Lab, who: &Who, entry: &Entry, lines: &mut Vec<u8>) -> io::Result<()> {
    lab.readable(who, entry).map_or(Ok(()), |entry| push_line(lines, &entry))
}

fn newest(changes: &mut watch::Receiver<u64>) -> u64 {
    *changes.borrow_and_update()
}

fn push_line(lines: &mut Vec<u8>, what: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *lines, what)?;
    lines.push(b'\n');
    Ok(())
}
