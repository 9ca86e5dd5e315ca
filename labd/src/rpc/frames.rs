//! Calls and answers as frames on a connection, each no larger than it may be.

use std::future::ready;
use std::io;

use futures::{Sink, SinkExt, Stream, StreamExt};
use protocol::wire::LARGEST_FRAME;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tarpc::{ClientMessage, Response, ServerError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::bytes::{Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder, Framed, LengthDelimitedCodec};

/// Carries calls of at most `largest` bytes. An answer that does not fit into a frame is replaced by an
/// error that says so: the connection, and what else is asked on it, goes on.
pub(super) fn carry<Call: DeserializeOwned, Answer: Serialize>(
    io: impl AsyncRead + AsyncWrite,
    largest: usize,
) -> impl Stream<Item = io::Result<ClientMessage<Call>>> + Sink<Response<Answer>, Error = io::Error>
{
    let codec = |most| LengthDelimitedCodec::builder().max_frame_length(most).new_codec();
    Framed::new(io, Codec { calls: codec(largest), answers: codec(LARGEST_FRAME) })
        .map(|frame| Ok(serde_json::from_slice(&frame?)?))
        .with(|answer: Response<Answer>| ready(frame_of(answer)))
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

/// Frames of a four-byte length; what is heard has another limit than what is said.
struct Codec {
    calls: LengthDelimitedCodec,
    answers: LengthDelimitedCodec,
}

impl Decoder for Codec {
    type Item = BytesMut;
    type Error = io::Error;

    fn decode(&mut self, bytes: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        self.calls.decode(bytes)
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
