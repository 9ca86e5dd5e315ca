//! Calls that change something, done once: whoever asks again because the connection broke is told what came
//! of it.

use std::io;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures::FutureExt;
use protocol::client::Call;
use protocol::request::RequestId;
use protocol::service::{Lab as _, LabRequest, LabResponse};
use protocol::wire::FORGOTTEN;
use tarpc::ServerError;
use tarpc::context::Context;
use tarpc::server::Serve;

use super::calls::Caller;
use crate::rules::once::Refusal;

/// Answers calls.
#[derive(Clone)]
pub(crate) struct Once(pub(crate) Caller);

impl Serve for Once {
    type Req = LabRequest;
    type Resp = LabResponse;

    async fn serve(
        self,
        context: Context,
        request: LabRequest,
    ) -> Result<LabResponse, ServerError> {
        let (lab, call, begun) = (self.0.lab.clone(), Call::from(&request), Instant::now());
        let answer = self.ask(context, request).await;
        let is_done = answer.as_ref().is_ok_and(Call::is_done);
        lab.called(call, is_done, begun.elapsed());
        answer
    }
}

impl Once {
    async fn ask(self, context: Context, request: LabRequest) -> Result<LabResponse, ServerError> {
        let Once(caller) = self;
        let asked = RequestId::of(&context).filter(|_| Call::from(&request).changes());
        // An older client has no ids, and does not ask again.
        let Some((id, first)) = asked else {
            return caller.serve().serve(context, request).await;
        };
        let (lab, key) = (caller.lab.clone(), (caller.peer.name.clone(), id));
        let work = async move {
            let answer = AssertUnwindSafe(caller.serve().serve(context, request)).catch_unwind();
            let answer = answer.await.unwrap_or_else(|_| Err(fault()));
            serde_json::to_vec(&answer).unwrap_or_default()
        };
        let answer = lab.once(key, first, work).await.map_err(refused)?;
        serde_json::from_slice(&answer).unwrap_or_else(|_| Err(fault()))
    }
}

fn refused(why: Refusal) -> ServerError {
    match why {
        Refusal::Forgotten => {
            let why = "labd no longer knows what came of this request";
            ServerError::new(FORGOTTEN, why.to_owned())
        }
        Refusal::Full => {
            let why = "too many requests are in hand; ask again when some are done";
            ServerError::new(io::ErrorKind::WouldBlock, why.to_owned())
        }
    }
}

fn fault() -> ServerError {
    let why = "something went wrong in labd; its log says more";
    ServerError::new(io::ErrorKind::Other, why.to_owned())
}
