//! For those who come with nothing: to log in by way of somebody who vouches for them.
//!
//! Whoever asks here is still on the doorstep, and stays there: each answer ends its connection. The pages
//! are for a browser on its way back from a provider; nothing in them runs, and nothing is loaded.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::rejection::{FormRejection, JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Extension, Form, Query, State};
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use protocol::Error;
use protocol::provider::{Begin, Begun, Offer, Progress, Standing};
use schemars::{Schema, SchemaGenerator};
use serde::Deserialize;

use super::guest::Guest;
use super::problem::Problem;
use crate::lab::Lab;
use crate::lab::people::{Back, CALLBACK, Greeting};

/// Where the code is sent that is typed into the page.
const CONFIRM: &str = "/login/confirm";
/// The largest body of somebody whom nobody knows, in bytes.
const LARGEST: usize = 4 * 1024;
/// What a page may do: send its form back to where it is from, and nothing else.
const POLICY: &str =
    "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Something that can be asked for by anybody.
pub(super) struct Asked {
    /// Its name in the document.
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) about: &'static str,
    pub(super) takes: Option<Described>,
    pub(super) answers: Described,
}

/// What something is, as a JSON schema.
pub(super) type Described = fn(&mut SchemaGenerator) -> Schema;

/// All of it.
pub(super) const ASKED: [Asked; 3] = [
    Asked {
        name: "login_offers",
        method: "get",
        path: "/login",
        about: "Who vouches for people to this lab.",
        takes: None,
        answers: SchemaGenerator::subschema_for::<Vec<Offer>>,
    },
    Asked {
        name: "login_begin",
        method: "post",
        path: "/login",
        about: "Begins to log in by way of a provider. The handle is good for ten minutes.",
        takes: Some(SchemaGenerator::subschema_for::<Begin>),
        answers: SchemaGenerator::subschema_for::<Begun>,
    },
    Asked {
        name: "login_progress",
        method: "post",
        path: "/login/progress",
        about: "How a login stands; in the end, once, a token that 'enrol' takes.",
        takes: Some(SchemaGenerator::subschema_for::<Progress>),
        answers: SchemaGenerator::subschema_for::<Standing>,
    },
];

/// The calls, behind the version.
pub(super) fn calls() -> Router<Arc<Lab>> {
    let calls = Router::new()
        .route("/login", get(offers).post(begin))
        .route("/login/progress", post(progress));
    calls.layer(DefaultBodyLimit::max(LARGEST)).layer(map_response(last))
}

/// The pages.
pub(super) fn pages() -> Router<Arc<Lab>> {
    let pages = Router::new().route(CALLBACK, get(come_back)).route(CONFIRM, post(confirm));
    pages.layer(DefaultBodyLimit::max(LARGEST)).layer(map_response(last))
}

/// Nobody stays who is not known.
async fn last(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn offers(State(lab): State<Arc<Lab>>) -> Json<Vec<Offer>> {
    Json(lab.offers())
}

async fn begin(
    State(lab): State<Arc<Lab>>,
    Extension(guest): Extension<Arc<Guest>>,
    ask: Result<Json<Begin>, JsonRejection>,
) -> Result<Json<Begun>, Problem> {
    let Json(ask) = ask.map_err(not_understood)?;
    let from = guest.place();
    let begun = whole(&lab, {
        let lab = lab.clone();
        async move { lab.begin_login(from, &ask).await }
    })
    .await;
    told(&guest, begun).map(Json).map_err(Problem)
}

async fn progress(
    State(lab): State<Arc<Lab>>,
    Extension(guest): Extension<Arc<Guest>>,
    ask: Result<Json<Progress>, JsonRejection>,
) -> Result<Json<Standing>, Problem> {
    let Json(ask) = ask.map_err(not_understood)?;
    let from = guest.place();
    let standing = whole(&lab, {
        let lab = lab.clone();
        async move { lab.login_progress(from, &ask.handle).await }
    })
    .await;
    told(&guest, standing).map(Json).map_err(Problem)
}

async fn come_back(
    State(lab): State<Arc<Lab>>,
    Extension(guest): Extension<Arc<Guest>>,
    headers: HeaderMap,
    back: Result<Query<Back>, QueryRejection>,
) -> Response {
    if headers.get("sec-fetch-dest").is_some_and(|destination| destination != "document") {
        // Some page's picture: nobody has come back, and nothing is held against whoever looks at it.
        return StatusCode::FORBIDDEN.into_response();
    }
    let Query(back) = back.unwrap_or_default();
    let from: IpAddr = guest.place();
    let greeting = whole(&lab, {
        let lab = lab.clone();
        async move { lab.come_back(from, back).await }
    })
    .await;
    match told(&guest, greeting) {
        Ok(greeting) => page(StatusCode::OK, Asking(&greeting)),
        Err(why) => page(StatusCode::FORBIDDEN, Told(&why)),
    }
}

/// What is typed into the page.
#[derive(Deserialize)]
struct Typed {
    ticket: String,
    code: String,
}

async fn confirm(
    State(lab): State<Arc<Lab>>,
    Extension(guest): Extension<Arc<Guest>>,
    typed: Result<Form<Typed>, FormRejection>,
) -> Response {
    let Ok(Form(Typed { ticket, code })) = typed else {
        let why = Error::Bad { why: "that is not what the page has asked for".to_owned() };
        return page(StatusCode::BAD_REQUEST, Told(&why));
    };
    match told(&guest, lab.confirm_login(guest.place(), &ticket, &code)) {
        Ok(()) => page(StatusCode::OK, Done),
        Err(why) => page(StatusCode::FORBIDDEN, Told(&why)),
    }
}

/// Does something to its end, whether or not whoever asked still waits.
async fn whole<T: Send + 'static>(
    lab: &Lab,
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tokio::spawn(lab.answer(work)).await.unwrap_or(Err(Error::Unknown))
}

/// What is over, or was never begun, is no proof: whoever is sent here by another page shows it, too. What can
/// be guessed, a code, is tried as often as the login bears.
fn told<T>(guest: &Guest, outcome: Result<T, Error>) -> Result<T, Error> {
    outcome.inspect_err(|why| {
        if matches!(why, Error::NotKnown { .. }) {
            guest.came_with_nothing();
        }
    })
}

fn not_understood(why: JsonRejection) -> Problem {
    Problem(Error::Bad { why: why.body_text() })
}

fn page(status: StatusCode, body: impl fmt::Display) -> Response {
    let text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Lab</title>\n{body}</html>\n"
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
    ];
    (status, headers, text).into_response()
}

/// The page that asks for the code.
struct Asking<'a>(&'a Greeting);

impl fmt::Display for Asking<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Asking(Greeting { called, provider, who, ticket }) = self;
        let [called, provider, who, ticket] = [called, provider, who, ticket].map(|it| Escaped(it));
        writeln!(f, "<h1>Log in to the lab as {who}?</h1>")?;
        writeln!(f, "<p>{provider} says that you are {called}.</p>")?;
        writeln!(
            f,
            "<p>Type the code that labctl shows in your own terminal. If you did not run labctl, close this page: somebody else wants to be you.</p>"
        )?;
        writeln!(f, "<form method=\"post\" action=\"{CONFIRM}\">")?;
        writeln!(f, "<input type=\"hidden\" name=\"ticket\" value=\"{ticket}\">")?;
        writeln!(
            f,
            "<label>Code <input name=\"code\" size=\"10\" maxlength=\"16\" autocomplete=\"off\" autofocus required></label>"
        )?;
        writeln!(f, "<button>Log in</button>\n</form>")
    }
}

/// The page of whoever is not let in.
struct Told<'a>(&'a Error);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told(why) = self;
        writeln!(f, "<h1>You are not logged in</h1>\n<p>{}</p>", Escaped(&why.to_string()))
    }
}

/// The page of whoever is.
struct Done;

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "<h1>You are logged in</h1>\n<p>Go on in your terminal, and close this page.</p>"
        )
    }
}

/// A text that is nothing but text within a page.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c => write!(f, "{c}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::document::document;

    /// Planted, and caught: a page without its policy; below, a call that the document lacks.
    #[test]
    fn a_page_loads_nothing_and_is_kept_by_nobody() {
        let response = page(StatusCode::OK, Done);
        let header = |name| response.headers().get(name).and_then(|it| it.to_str().ok());
        assert!(
            header(CONTENT_SECURITY_POLICY).is_some_and(|it| it.contains("default-src 'none'"))
        );
        assert_eq!(header(CACHE_CONTROL), Some("no-store"));
        assert_eq!(header(REFERRER_POLICY), Some("no-referrer"));
    }

    #[test]
    fn what_anybody_may_ask_is_in_the_document_and_says_so() {
        let document = document();
        for Asked { name, method, path, .. } in ASKED {
            let operation = &document["paths"][path][method];
            assert_eq!(operation["operationId"], name);
            assert_eq!(operation["security"], serde_json::json!([]));
        }
    }

    #[test]
    fn what_people_are_called_is_nothing_but_text_in_a_page() {
        let called = "</p><script src='//x'>\"&".to_owned();
        let (provider, who, ticket) = ("corp".to_owned(), "ada".to_owned(), "t".to_owned());
        let text = Asking(&Greeting { called, provider, who, ticket }).to_string();
        let escaped = "&lt;/p&gt;&lt;script src=&#39;//x&#39;&gt;&quot;&amp;";
        assert!(text.contains(escaped) && !text.contains("<script"), "{text}");
    }
}
