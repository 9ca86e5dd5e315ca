//! What went wrong, as a problem of RFC 9457: the sentence is its `title`, and what a program can act on
//! are the members of [`Error`].

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
    title: String,
    status: u16,
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
    let body = Body { title: error.to_string(), status: status.as_u16(), error };
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
