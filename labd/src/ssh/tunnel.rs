//! Bytes to and from a board's own sshd: `ssh -J lab root@BOARD`, `ssh -W BOARD:22 lab`.

use std::time::Duration;

use protocol::Error;
use russh::server::{ChannelOpenHandle, Msg};
use russh::{Channel, ChannelMsg, ChannelOpenFailure, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::visitor::Visitor;
use crate::lab::tunnel::Tunnel;

/// A board that takes nothing for so long has stopped for good.
const STUCK: Duration = Duration::from_secs(60);
/// What the protocol calls it when something is not allowed, and when nothing answers.
const PROHIBITED: u32 = 1;
const UNREACHABLE: u32 = 2;

/// Carries bytes until either side has had enough, the hold ends, or the visitor leaves.
pub(super) async fn serve(
    visitor: &Visitor,
    target: &str,
    port: u32,
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
) {
    let mut tunnel = match open(visitor, target, port).await {
        Ok(tunnel) => tunnel,
        Err(why) => return refuse(reply, PROHIBITED, why.to_string()).await,
    };
    let stream = match tunnel.connect().await {
        Ok(stream) => stream,
        Err(why @ Error::Device { .. }) => {
            return refuse(reply, UNREACHABLE, why.to_string()).await;
        }
        Err(why) => return refuse(reply, PROHIBITED, why.to_string()).await,
    };
    reply.accept().await;
    let (read, write) = channel.split();
    let (from_board, to_board) = stream.into_split();
    tokio::select! {
        () = up(read, to_board) => {}
        () = down(from_board, &write) => {}
        () = tunnel.until_over() => {}
        () = visitor.until_over() => return,
    }
    // A client that is gone needs no telling.
    let _ = write.close().await;
}

/// Carries what the client sends, until it leaves. A board that takes nothing of what waits for it is given
/// up: what comes behind it on the connection cannot be heard meanwhile.
async fn up(mut read: ChannelReadHalf, board: OwnedWriteHalf) {
    let mut board = Some(board);
    loop {
        match read.wait().await {
            Some(ChannelMsg::Data { data }) => {
                let Some(writing) = &mut board else { continue };
                match timeout(STUCK, writing.write_all(&data)).await {
                    Ok(Ok(())) => {}
                    // It may have said why.
                    Ok(Err(_)) => board = None,
                    Err(_) => return,
                }
            }
            // Dropped is hung up.
            Some(ChannelMsg::Eof) => board = None,
            Some(ChannelMsg::Close) | None => return,
            Some(_) => {}
        }
    }
}

/// Carries what the board sends, until it hangs up.
async fn down(mut board: OwnedReadHalf, client: &ChannelWriteHalf<Msg>) {
    // Who hung up, and how, is known at both ends.
    let _ = tokio::io::copy(&mut board, &mut client.make_writer()).await;
    let _ = client.eof().await;
}

async fn open(visitor: &Visitor, target: &str, port: u32) -> Result<Tunnel, Error> {
    let lab = &visitor.door.lab;
    lab.answer(lab.tunnel(&visitor.who()?, target, port)).await
}

async fn refuse(reply: ChannelOpenHandle, code: u32, reason: String) {
    reply.reject(ChannelOpenFailure::Other { code, reason }).await;
}
