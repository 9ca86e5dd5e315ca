//! What another site's page has a browser ask: a browser shows the certificate of whoever it belongs to, so
//! nothing of that is answered.
//!
//! A page may send a form's content anywhere unasked, but JSON only where it is allowed to; nobody is, here.
//! What is answered is kept by nobody: secrets are in it.

use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::Body as _;
use protocol::Error;

use super::problem::told;

/// Lets through what the site's own pages ask, and what no page does.
pub(super) async fn own(request: Request, next: Next) -> Response {
    let mut response = match refused(&request) {
        Some((status, why)) => told(status, &Error::Bad { why: why.to_owned() }),
        None => next.run(request).await,
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refused(request: &Request) -> Option<(StatusCode, &'static str)> {
    let headers = request.headers();
    if is_from_elsewhere(headers) {
        return Some((StatusCode::FORBIDDEN, "pages of other sites have nothing to ask here"));
    }
    if !request.body().is_end_stream() && !is_json(headers) {
        let why = "a body is JSON, and says so: 'Content-Type: application/json'";
        return Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
    }
    None
}

/// By what browsers say, and pages cannot: the Fetch standard's `Origin` and Fetch Metadata's `Sec-Fetch-Site`.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let text = |value: &HeaderValue| value.to_str().unwrap_or("?").to_ascii_lowercase();
    let host = headers.get(HOST).map(text).unwrap_or_default();
    let own = format!("https://{}", host.trim_end_matches(":443"));
    let is_own = |origin: &HeaderValue| text(origin).trim_end_matches(":443") == own;
    let is_other = |site: &HeaderValue| !matches!(&*text(site), "same-origin" | "none");
    headers.get_all(ORIGIN).iter().any(|origin| !is_own(origin))
        || headers.get_all("sec-fetch-site").iter().any(is_other)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}
