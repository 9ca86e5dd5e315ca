//! The door for whoever speaks HTTPS: every call of the lab as REST, and what flows as streams.
//!
//! HTTP/1.1 behind [`crate::tls`]. There is no route for a call but the one in [`routes`], and none that
//! the [`document`] does not name: both come from the service's own words.
//!
//! - [`guest`]: who is asking
//! - [`routes`]: where each call is found
//! - [`call`]: a request becomes a call, and its answer a response
//! - [`flow`]: what is followed
//! - [`origin`]: what another site's page has a browser ask
//! - [`login`]: for those who come with nothing
//! - [`problem`]: what went wrong, as RFC 9457 has it
//! - [`document`]: all of it as OpenAPI 3.1
//! - [`socket`]: the lab's own protocol within a WebSocket
//! - [`health`]: whether the lab can do what it is asked
//! - [`metrics`]: the lab in numbers, on a listener of their own

mod call;
mod document;
mod flow;
mod guest;
mod health;
mod login;
pub mod metrics;
mod origin;
pub mod problem;
mod routes;
mod socket;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request};
use axum::middleware::from_fn;
use axum::routing::get;
use axum::{Json, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use protocol::client::Call;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::ServiceExt;

use self::guest::Guest;
use crate::doorstep::Stranger;
use crate::lab::Lab;

/// A request's head comes within this time; between two requests, the next one.
const HEAD: Duration = Duration::from_secs(60);
/// The largest head, in bytes, and the most lines that it has.
const LARGEST_HEAD: usize = 32 * 1024;
const MOST_LINES: usize = 64;

/// Where the versioned paths begin.
const VERSION: &str = "/api/v1";

/// All that can be asked for.
pub struct Site {
    lab: Arc<Lab>,
    routes: Router,
}

impl Site {
    /// The site of a lab.
    pub fn new(lab: Arc<Lab>) -> Site {
        let document = Json(document::document());
        let calls = Call::ALL.iter().fold(Router::new(), |router, call| call::route(router, *call));
        let routes = flow::routes(calls)
            .merge(login::calls())
            .route("/lab", get(socket::lab))
            .route("/openapi.json", get(async move || document.clone()))
            .fallback(problem::no_such_path)
            .method_not_allowed_fallback(problem::no_such_method)
            .layer(from_fn(origin::own));
        let routes = Router::new()
            .nest(VERSION, routes)
            .merge(login::pages())
            .fallback(problem::no_such_path)
            .with_state(lab.clone())
            .merge(health::routes(lab.clone()));
        Site { lab, routes }
    }

    /// Serves one connection of somebody who is still on the doorstep, with the login that they showed if
    /// they did.
    pub async fn serve(
        &self,
        stranger: Stranger,
        login: Option<String>,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) {
        let guest = Guest::new(self.lab.clone(), stranger, login);
        let answer = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(guest.clone());
            let answer = self.lab.answer(self.routes.clone().oneshot(request.map(Body::new)));
            let guest = guest.clone();
            async move {
                let mut response = answer.await?;
                if guest.is_over() {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        });
        let connection = server().serve_connection(TokioIo::new(stream), answer).with_upgrades();
        let mut ending = self.lab.ending();
        tokio::select! {
            outcome = connection => if let Err(error) = outcome {
                tracing::debug!(%error, "a connection ended");
                guest.spoke_nonsense();
            },
            () = guest.overdue() => {}
            _ = ending.changed() => {}
        }
    }
}

/// What bears with a connection, and for how long.
fn server() -> http1::Builder {
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_LINES);
    server
}
