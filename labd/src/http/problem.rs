//! What went wrong, as a problem of RFC 9457: its `title` is the status in words, the sentence its `detail`,
//! and what a program can act on are the members of [`Error`].

use axum::Json;
use axum::extract::OriginalUri;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use protocol::Error;
use serde::Serialize;

/// After so many seconds whoever found too many others may ask again.
const AGAIN: &str = "10";

/// What the lab says instead of an answer.
#[derive(Debug)]
pub struct Problem(pub Error);

#[derive(Serialize)]
struct Body<'a> {
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(flatten)]
    error: &'a Error,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Problem(error) = &self;
        told(status(error), error)
    }
}

/// A problem with a status that its error does not have by itself.
pub(super) fn told(status: StatusCode, error: &Error) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = Body { title, status: status.as_u16(), detail: error.to_string(), error };
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if matches!(error, Error::Busy { .. }) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(AGAIN));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn status(error: &Error) -> StatusCode {
    match error {
        Error::NoSuch { .. } | Error::Lacks { .. } => StatusCode::NOT_FOUND,
        Error::HeldBy { .. }
        | Error::AllTaken { .. }
        | Error::NotHeld { .. }
        | Error::NoPen { .. }
        | Error::HoldOver { .. }
        | Error::OthersWait { .. }
        | Error::Unsure { .. } => StatusCode::CONFLICT,
        Error::NotAllowed { .. } | Error::OutOfScope { .. } => StatusCode::FORBIDDEN,
        Error::NotKnown { .. } => StatusCode::UNAUTHORIZED,
        Error::Bad { .. } | Error::TooOld { .. } => StatusCode::BAD_REQUEST,
        Error::Config { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Device { .. } | Error::Setup { .. } => StatusCode::BAD_GATEWAY,
        Error::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
        Error::Unreachable { .. } | Error::CannotRecord { .. } | Error::Busy { .. } => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Error::Impostor { .. } | Error::Internal { .. } | Error::Unknown => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

/// For a path that leads nowhere.
pub(super) async fn no_such_path(OriginalUri(uri): OriginalUri) -> Problem {
    let (what, name) = ("path".to_owned(), uri.path().to_owned());
    Problem(Error::NoSuch { what, name, near: None })
}

/// For a path that is there for another method.
pub(super) async fn no_such_method() -> Response {
    let why = "this path is there for another method; see /api/v1/openapi.json".to_owned();
    told(StatusCode::METHOD_NOT_ALLOWED, &Error::Bad { why })
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use protocol::board::BoardName;
    use serde_json::{Value as Json, json};

    use super::*;

    /// Planted, and caught: an error's status is another; only the sentence is told; nobody is told when to
    /// ask again.
    #[tokio::test]
    async fn every_problem_has_its_status_and_says_what_a_program_can_act_on() {
        let why = || "so".to_owned();
        let board = || "rpi4".parse::<BoardName>().expect("a name");
        for (error, wanted) in [
            (Error::NotHeld { board: board() }, 409),
            (Error::NoPen { board: board(), of: None }, 409),
            (Error::HoldOver { board: board(), number: 7, how: why() }, 409),
            (Error::Unsure { why: why() }, 409),
            (Error::NotKnown { why: why() }, 401),
            (Error::Config { faults: vec![why()] }, 422),
            (Error::Internal { id: why() }, 500),
            (Error::Unknown, 500),
            (Error::Device { device: why(), why: why() }, 502),
            (Error::CannotRecord { why: why() }, 503),
            (Error::Busy { why: why() }, 503),
            (Error::TimedOut { seconds: 7 }, 504),
        ] {
            let response = Problem(error.clone()).into_response();
            let header = |name| response.headers().get(name).and_then(|it| it.to_str().ok());
            assert_eq!(response.status().as_u16(), wanted, "{error:?}");
            assert_eq!(header(CONTENT_TYPE), Some("application/problem+json"), "{error:?}");
            let is_busy = matches!(error, Error::Busy { .. });
            assert_eq!(header(RETRY_AFTER), is_busy.then_some("10"), "{error:?}");
            assert_eq!(header(WWW_AUTHENTICATE), (wanted == 401).then_some("Bearer"), "{error:?}");
            let body = to_bytes(response.into_body(), 4_096).await.expect("a body");
            let said: Json = serde_json::from_slice(&body).expect("JSON");
            assert_eq!(said["detail"], json!(error.to_string()));
            assert_eq!(
                said["title"],
                json!(StatusCode::from_u16(wanted).expect("a status").canonical_reason())
            );
            assert_eq!(said["status"], json!(wanted));
            assert_eq!(serde_json::from_value::<Error>(said).expect("an error"), error);
        }
    }
}
