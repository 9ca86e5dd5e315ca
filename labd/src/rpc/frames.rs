//! Calls and answers as frames on a connection, each no larger than it may be.

use std::future::ready;
use std::io;

use futures::{Sink, SinkExt, Stream, StreamExt};
use protocol::wire::LARGEST_FRAME;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tarpc::{ClientMessage, Request, RequestName, Response, ServerError, context};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder, Framed, LengthDelimitedCodec};

/// A length, big-endian, before each frame.
const HEADER: usize = 4;
/// The number of a call stands within so many of its bytes, before what is asked.
const HEAD: usize = 512;

/// What came as a call.
#[derive(Debug)]
pub enum Heard<Call> {
    /// The call.
    Call(Call),
    /// It was larger than calls are here, and nobody has kept it. What its caller is told.
    TooLarge(ServerError),
}

impl<Call: RequestName> RequestName for Heard<Call> {
    fn name(&self) -> &str {
        match self {
            Heard::Call(call) => call.name(),
            Heard::TooLarge(_) => "too large",
        }
    }
}

/// Carries calls of at most `largest` bytes. A call that is larger, and no larger than a frame, is read
/// and dropped: its caller is told, and the connection, and what else is asked on it, goes on. So it does
/// if an answer does not fit into a frame, which is replaced by an error that says so.
pub fn carry<Call: DeserializeOwned, Answer: Serialize>(
    io: impl AsyncRead + AsyncWrite,
    largest: usize,
) -> impl Stream<Item = io::Result<ClientMessage<Heard<Call>>>> + Sink<Response<Answer>, Error = io::Error>
{
    let answers = LengthDelimitedCodec::builder().max_frame_length(LARGEST_FRAME).new_codec();
    Framed::new(io, Codec { largest, dropping: None, answers })
        .map(move |frame| message(frame?, largest))
        .with(|answer: Response<Answer>| ready(frame_of(answer)))
}

fn message<Call: DeserializeOwned>(
    frame: Frame,
    largest: usize,
) -> io::Result<ClientMessage<Heard<Call>>> {
    match frame {
        Frame::Whole(frame) => Ok(match serde_json::from_slice(&frame)? {
            ClientMessage::Request(Request { context, id, message }) => {
                ClientMessage::Request(Request { context, id, message: Heard::Call(message) })
            }
            ClientMessage::Cancel { trace_context, request_id } => {
                ClientMessage::Cancel { trace_context, request_id }
            }
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "what is that?")),
        }),
        Frame::Dropped { head, length } => {
            let why = format!("a call has at most {largest} bytes here; this one has {length}");
            let nameless = || io::Error::new(io::ErrorKind::InvalidData, why.clone());
            let id = number(&head).ok_or_else(nameless)?;
            let message = Heard::TooLarge(ServerError::new(io::ErrorKind::InvalidInput, why));
            Ok(ClientMessage::Request(Request { context: context::current(), id, message }))
        }
    }
}

/// The number of a call that begins like that.
fn number(head: &[u8]) -> Option<u64> {
    let head = String::from_utf8_lossy(head);
    let (before, _) = head.split_once(r#""message":"#)?;
    let (_, number) = before.rsplit_once(r#""id":"#)?;
    number.trim_end_matches(',').parse().ok()
}

fn frame_of<Answer: Serialize>(answer: Response<Answer>) -> io::Result<Bytes> {
    let frame = serde_json::to_vec(&answer)?;
    if frame.len() <= LARGEST_FRAME {
        return Ok(frame.into());
    }
    let why = format!("the answer has {} bytes, more than {LARGEST_FRAME}", frame.len());
    let message = Err(ServerError::new(io::ErrorKind::InvalidData, why));
    Ok(serde_json::to_vec(&Response::<Answer> { message, ..answer })?.into())
}

/// What a connection brings.
enum Frame {
    Whole(BytesMut),
    /// One that was too large: how it began, and how many bytes it had.
    Dropped {
        head: BytesMut,
        length: usize,
    },
}

struct Codec {
    /// The largest frame that is kept, in bytes.
    largest: usize,
    /// One that is too large, and how many bytes of it are still to come.
    dropping: Option<(Frame, usize)>,
    answers: LengthDelimitedCodec,
}

impl Decoder for Codec {
    type Item = Frame;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<Frame>> {
        if self.dropping.is_none() {
            let Some(header) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
            let length = u32::from_be_bytes(*header) as usize;
            if length > LARGEST_FRAME {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a call is too large to be dropped",
                ));
            }
            let wanted = if length > self.largest { HEAD.min(length) } else { length };
            if bytes.len() < HEADER + wanted {
                bytes.reserve(HEADER + wanted - bytes.len());
                return Ok(None);
            }
            bytes.advance(HEADER);
            let frame = bytes.split_to(wanted);
            if length <= self.largest {
                return Ok(Some(Frame::Whole(frame)));
            }
            self.dropping = Some((Frame::Dropped { head: frame, length }, length - wanted));
        }
        Ok(self.drop_some(bytes))
    }
}

impl Codec {
    /// Drops what there is of a frame that is too large; tells of it at its end.
    fn drop_some(&mut self, bytes: &mut BytesMut) -> Option<Frame> {
        let (_, left) = self.dropping.as_mut()?;
        let here = bytes.len().min(*left);
        bytes.advance(here);
        *left -= here;
        if *left > 0 {
            return None;
        }
        self.dropping.take().map(|(frame, _)| frame)
    }
}

impl Encoder<Bytes> for Codec {
    type Error = io::Error;

    fn encode(&mut self, frame: Bytes, bytes: &mut BytesMut) -> io::Result<()> {
        self.answers.encode(frame, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_too_large_says_so_and_is_small() {
        let small = Response { request_id: 7, message: Ok("x".to_owned()) };
        let frame = frame_of(small).expect("a frame");
        assert!(frame.ends_with(br#""message":{"Ok":"x"}}"#), "{frame:?}");
        let large = Response { request_id: 7, message: Ok("x".repeat(LARGEST_FRAME)) };
        let frame = frame_of(large).expect("a frame");
        assert!(frame.starts_with(br#"{"request_id":7,"message":{"Err":"#), "{frame:?}");
        assert!(frame.len() < 200, "{frame:?}");
    }
}
