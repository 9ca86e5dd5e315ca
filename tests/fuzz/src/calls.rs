use futures::StreamExt;
use futures::executor::block_on;
use labd::rpc::frames::{self, Heard};
use protocol::service::{LabRequest, LabResponse};
use serde_json::Value;
use tarpc::ClientMessage;

/// So small that the fuzzer comes to what is larger.
const LARGEST: usize = 600;

pub(crate) fn target(data: &[u8]) {
    heard(data);
    // The same as the body of one frame, for which nobody has to guess its length.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    heard(&[&length.to_be_bytes(), data].concat());
}

fn heard(bytes: &[u8]) {
    let stream = tokio::io::join(bytes, tokio::io::sink());
    let frames = frames::carry::<LabRequest, LabResponse>(stream, LARGEST);
    let mut messages = std::pin::pin!(frames);
    let mut rest = bytes;
    while let Some(Ok(message)) = block_on(messages.next()) {
        // Each is one frame, and as long as that says.
        let (header, behind) = rest.split_first_chunk().expect("it has a length");
        let length = u32::from_be_bytes(*header) as usize;
        rest = behind.get(length..).expect("it is whole");
        let ClientMessage::Request(request) = message else { continue };
        match request.message {
            Heard::Call(call) => {
                assert!(length <= LARGEST);
                again(&call);
            }
            Heard::TooLarge(_) => assert!(length > LARGEST),
        }
    }
}

/// What was understood can be said, and is understood as the same.
fn again(call: &LabRequest) {
    let said: Value = serde_json::to_value(call).expect("it was JSON");
    let understood: LabRequest = serde_json::from_value(said.clone()).expect("it was understood");
    assert_eq!(serde_json::to_value(&understood).expect("JSON"), said);
}
