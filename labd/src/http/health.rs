//! Whether the lab lives, and whether it can do what it is asked: for load balancers and supervisors, who
//! need not be known.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use crate::lab::Lab;

/// `/healthz` and `/readyz`.
pub(super) fn routes(lab: Arc<Lab>) -> Router {
    Router::new().route("/healthz", get("ok\n")).route("/readyz", get(ready)).with_state(lab)
}

/// Whether decisions can be made and written down.
async fn ready(State(lab): State<Arc<Lab>>) -> (StatusCode, &'static str) {
    match lab.is_ready().await {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready: labd's log says why\n"),
    }
}
