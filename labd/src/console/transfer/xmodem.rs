//! XMODEM with its checksum or its CRC, XMODEM-1K, and YMODEM: the side that sends.
//!
//! After Christensen's and Forsberg's descriptions. The receiver begins: a `C` asks for CRCs, a NAK for
//! checksums. Each block is answered by ACK or NAK; two CAN end it all.

use protocol::send::{File, Way};
use tokio::io::{AsyncRead, AsyncWrite, Take};
use tokio::sync::watch;
use tokio::time::{Duration, Instant};

use super::{Wire, fill};

const SOH: u8 = 0x01;
const STX: u8 = 0x02;
const EOT: u8 = 0x04;
const ACK: u8 = 0x06;
const NAK: u8 = 0x15;
const CAN: u8 = 0x18;
const CRC: u8 = b'C';
/// Fills the last block up.
const PAD: u8 = 0x1a;

/// Ends a transfer. What is read as text of it is taken back.
pub(super) const CANCEL: &[u8] =
    b"\x18\x18\x18\x18\x18\x18\x18\x18\x08\x08\x08\x08\x08\x08\x08\x08";

/// The receiver is to begin within this time: somebody may have to type a command first.
const BEGIN: Duration = Duration::from_secs(60);
/// A block is answered within this time.
const ANSWER: Duration = Duration::from_secs(10);
/// A block is sent so often.
const TRIES: usize = 10;
/// The longest name that fits into a block of 128 bytes, with a size beside it.
const NAME: usize = 100;

/// Proves that a block has arrived as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Sum,
    Crc,
}

/// What the receiver says to a block.
enum Answer {
    Taken,
    Refused,
    Nothing,
}

pub(super) struct Sender<'a, S> {
    wire: Wire<'a, S>,
    taken: &'a watch::Sender<u64>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Sender<'a, S> {
    pub(super) fn new(wire: Wire<'a, S>, taken: &'a watch::Sender<u64>) -> Sender<'a, S> {
        Sender { wire, taken }
    }

    pub(super) async fn send(
        mut self,
        file: &File,
        mut source: Take<impl AsyncRead + Unpin>,
    ) -> Result<(), String> {
        let mut check = self.begin().await?;
        if file.way == Way::Ymodem {
            self.block(0, &header(file), check).await?;
            check = self.begin().await?;
        }
        let (mut number, mut sent) = (1_u8, 0);
        while source.limit() > 0 {
            let large = file.way != Way::Xmodem && check == Check::Crc && source.limit() >= 1024;
            let mut block = vec![PAD; if large { 1024 } else { 128 }];
            sent += fill(&mut source, &mut block).await? as u64;
            self.block(number, &block, check).await?;
            self.taken.send_replace(sent);
            number = number.wrapping_add(1);
        }
        self.end().await?;
        if file.way == Way::Ymodem {
            // No name: no other file follows.
            let check = self.begin().await?;
            self.block(0, &[0; 128], check).await?;
        }
        Ok(())
    }

    /// Waits for the receiver to say how it wants its blocks.
    async fn begin(&mut self) -> Result<Check, String> {
        let due = Instant::now() + BEGIN;
        loop {
            match self.wire.byte(due.saturating_duration_since(Instant::now())).await? {
                Some(CRC) => return Ok(Check::Crc),
                Some(NAK) => return Ok(Check::Sum),
                Some(CAN) => self.heed_cancel().await?,
                Some(_) => {}
                None => {
                    let why = format!("nothing on the board asked for a file within {BEGIN:?}");
                    return Err(format!("{why}; type its command first: loadx, loady, rx, rb"));
                }
            }
        }
    }

    async fn block(&mut self, number: u8, data: &[u8], check: Check) -> Result<(), String> {
        let kind = if data.len() == 1024 { STX } else { SOH };
        let mut block = vec![kind, number, !number];
        block.extend_from_slice(data);
        match check {
            Check::Sum => block.push(data.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))),
            Check::Crc => block.extend_from_slice(&crc(data).to_be_bytes()),
        }
        self.insist(&block, &format!("block {number}")).await
    }

    async fn end(&mut self) -> Result<(), String> {
        self.insist(&[EOT], "the end of the file").await
    }

    /// Sends until it is taken.
    async fn insist(&mut self, bytes: &[u8], what: &str) -> Result<(), String> {
        for _ in 0..TRIES {
            // An answer that came late is none to this.
            self.wire.drain(Duration::ZERO).await?;
            self.wire.write(bytes).await?;
            if let Answer::Taken = self.answer().await? {
                return Ok(());
            }
        }
        Err(format!("the board did not take {what} in {TRIES} tries"))
    }

    async fn answer(&mut self) -> Result<Answer, String> {
        loop {
            match self.wire.byte(ANSWER).await? {
                Some(ACK) => return Ok(Answer::Taken),
                Some(NAK) => return Ok(Answer::Refused),
                Some(CAN) => self.heed_cancel().await?,
                // A receiver that had not heard of the block asks again for the first.
                Some(_) => {}
                None => return Ok(Answer::Nothing),
            }
        }
    }

    /// One CAN may be noise.
    async fn heed_cancel(&mut self) -> Result<(), String> {
        match self.wire.byte(ANSWER).await? {
            Some(CAN) => Err("the board cancelled it".to_owned()),
            _ => Ok(()),
        }
    }
}

/// YMODEM's first block: the name, and the size in decimal digits.
fn header(file: &File) -> Vec<u8> {
    let mut header: Vec<u8> = file.name.bytes().filter(|byte| *byte != 0).take(NAME).collect();
    header.push(0);
    header.extend_from_slice(file.size.to_string().as_bytes());
    header.resize(128, 0);
    header
}

/// CRC-16 with the polynomial 0x1021, from 0.
pub(super) fn crc(data: &[u8]) -> u16 {
    data.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    })
}
