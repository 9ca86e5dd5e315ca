//! The lab's own protocol within a WebSocket, for whoever is let through to HTTPS only.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use protocol::{Error, websocket};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::guest::Guest;
use super::problem::Problem;
use crate::lab::Lab;
use crate::rpc::listen;

/// From here on, as behind `tls://`.
pub(super) async fn lab(State(lab): State<Arc<Lab>>, mut request: Request) -> Response {
    let accept = match accept(request.headers()) {
        Ok(accept) => accept,
        Err(why) => return Problem(Error::Bad { why: why.to_owned() }).into_response(),
    };
    let guest = request.extensions_mut().remove::<Arc<Guest>>();
    let Some((stranger, login)) = guest.and_then(|guest| guest.leave()) else {
        let why = "a socket is the first thing to ask for on a connection".to_owned();
        return Problem(Error::Bad { why }).into_response();
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(lab.clone().answer(async move {
        match upgrade.await {
            Ok(stream) => {
                let stream = websocket::server(TokioIo::new(stream)).await;
                listen::receive(lab, "https", stranger, login, stream).await;
            }
            Err(error) => tracing::debug!(%error, "a connection ended"),
        }
    }));
    let switched = [
        (CONNECTION, HeaderValue::from_static("upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_ACCEPT, accept),
        (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(websocket::PROTOCOL)),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, switched).into_response()
}

/// What a WebSocket's first request is answered with (RFC 6455, 4.2).
fn accept(headers: &HeaderMap) -> Result<HeaderValue, &'static str> {
    let has = |name: HeaderName, word: &str| {
        let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    if !has(CONNECTION, "upgrade") || !has(UPGRADE, "websocket") {
        return Err("here is a WebSocket, and nothing else");
    }
    if !has(SEC_WEBSOCKET_VERSION, "13") {
        return Err("a WebSocket of version 13 (RFC 6455) is spoken here");
    }
    if !has(SEC_WEBSOCKET_PROTOCOL, websocket::PROTOCOL) {
        return Err("the WebSocket's subprotocol here is 'lab'");
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).ok_or("the WebSocket has no key")?;
    HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
        .map_err(|_| "the WebSocket's key is no key")
}
