//! What another door asks of the lab for its visitor, as over a socket.

use std::io;
use std::sync::Arc;

use protocol::Error;
use protocol::wire::{self, Purpose, Welcome};
use tokio::io::{BufReader, DuplexStream, duplex};
use tokio::task::JoinHandle;

use super::listen::converse;
use crate::lab::Lab;
use crate::lab::people::Peer;

/// A conversation's only buffer.
const BUFFER: usize = 64 * 1024;

/// A conversation within the daemon.
pub struct Inside {
    /// What flows.
    pub flow: BufReader<DuplexStream>,
    /// How it begins.
    pub welcome: Welcome,
    /// Ends when the lab has no more to say, also while nobody reads the rest.
    pub over: JoinHandle<io::Result<()>>,
}

/// Asks for something, as that peer.
///
/// # Errors
/// The lab's.
pub async fn ask(lab: &Arc<Lab>, peer: &Peer, purpose: &Purpose) -> Result<Inside, Error> {
    let (ours, theirs) = duplex(BUFFER);
    let over = tokio::spawn(converse(lab.clone(), peer.clone(), theirs));
    let mut flow = BufReader::with_capacity(BUFFER, ours);
    wire::ask(&mut flow, purpose).await.map_err(|error| Error::Unreachable {
        address: "the lab".to_owned(),
        why: error.to_string(),
    })?;
    let welcome = wire::answer(&mut flow).await?;
    Ok(Inside { flow, welcome, over })
}
