//! Where each call is found. A call without a route does not compile.
//!
//! What a call takes is in its path by name; what is not, is in the query of a GET or a DELETE, and in the
//! body of a POST as a JSON object: of its members, or, of what is a whole by itself, of that one's.

use axum::http::Method;
use protocol::Error;
use protocol::board::Filter;
use protocol::client::Call;
use protocol::hold::Want;
use serde_json::{Map, Value as Json};

/// Where a call is found.
#[derive(Debug, Clone)]
pub(super) struct Route {
    /// How it is asked for.
    pub(super) method: Method,
    /// Behind the version; `{board}` is what the call takes by that name.
    pub(super) path: &'static str,
    /// What the query or the body is.
    pub(super) rest: Rest,
}

/// What the query or the body of a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// What the path does not say, by name.
    Named,
    /// What the call takes by this name.
    Whole(&'static str),
    /// The boards to list: `board=`, `class=`, `tags=`, `mine=`.
    Boards,
}

/// Where `call` is found.
pub(super) fn route(call: Call) -> Route {
    match call {
        Call::Whoami => get("/whoami"),
        Call::Boards => Route { rest: Rest::Boards, ..get("/boards") },
        Call::Board => get("/boards/{name}"),
        Call::Classes => get("/classes"),
        Call::Holds => get("/holds"),
        Call::Queue => get("/queue"),
        Call::Reserve => post("/holds").whole("ask"),
        Call::Placed => get("/queue/{number}"),
        Call::Unqueue => delete("/queue/{number}"),
        Call::Release => delete("/boards/{board}/hold").whole("release"),
        Call::Extend => post("/boards/{board}/hold/extend"),
        Call::Give => post("/boards/{board}/hold/give"),
        Call::Power => post("/boards/{board}/power"),
        Call::Outlet => get("/boards/{board}/power"),
        Call::Boots => get("/boards/{board}/boots"),
        Call::Triggers => get("/triggers"),
        Call::Pen => post("/sessions/{session}/pen").whole("ask"),
        Call::TypeIn => post("/sessions/{session}/type"),
        Call::SendBreak => post("/sessions/{session}/break"),
        Call::Signal => post("/boards/{board}/signal").whole("signal"),
        Call::Note => post("/boards/{board}/notes"),
        Call::May => get("/may").whole("ask"),
        Call::Accounts => get("/users"),
        Call::ChangeAccount => post("/users/{name}").whole("ask"),
        Call::Tokens => get("/tokens"),
        Call::MakeToken => post("/tokens").whole("ask"),
        Call::RevokeToken => delete("/tokens/{id}"),
        Call::Keys => get("/keys"),
        Call::AddKey => post("/keys"),
        Call::RemoveKey => delete("/keys/{fingerprint}"),
        Call::Enrol => post("/logins"),
        Call::Logins => get("/logins"),
        Call::LogOut => delete("/logins/{id}"),
        Call::FoundAt => get("/address"),
        Call::Reload => post("/admin/reload"),
        Call::Doctor => get("/admin/doctor"),
        Call::Verify => get("/admin/verify"),
        Call::Rebuild => post("/admin/rebuild"),
        Call::Import => post("/admin/import"),
    }
}

impl Route {
    fn whole(self, name: &'static str) -> Route {
        Route { rest: Rest::Whole(name), ..self }
    }

    /// Whether the rest is in the query.
    pub(super) fn is_in_query(&self) -> bool {
        self.method != Method::POST
    }
}

fn at(method: Method, path: &'static str) -> Route {
    Route { method, path, rest: Rest::Named }
}

fn get(path: &'static str) -> Route {
    at(Method::GET, path)
}

fn post(path: &'static str) -> Route {
    at(Method::POST, path)
}

fn delete(path: &'static str) -> Route {
    at(Method::DELETE, path)
}

/// Which boards a query is for.
///
/// # Errors
/// [`Error::Bad`] for what is no such query.
pub(super) fn filter(query: Vec<(String, String)>) -> Result<Json, Error> {
    let bad = |why: String| Error::Bad { why };
    let mut filter = Filter::default();
    for (name, value) in query {
        let want = match name.as_str() {
            "mine" => {
                let bad = |_| bad(format!("mine is true or false, not '{value}'"));
                filter.mine = value.parse().map_err(bad)?;
                continue;
            }
            "board" => Want::Board { name: value.parse().map_err(refused)? },
            "class" => Want::Class { name: value },
            "tags" => Want::Tags { expr: value.parse().map_err(refused)? },
            _ => {
                let why =
                    format!("'{name}' does not choose boards; board, class, tags and mine do");
                return Err(bad(why));
            }
        };
        if filter.want.replace(want).is_some() {
            return Err(bad("choose by one of board, class and tags".to_owned()));
        }
    }
    let mut rest = Map::new();
    rest.insert("filter".to_owned(), serde_json::to_value(filter).map_err(refused)?);
    Ok(Json::Object(rest))
}

fn refused(why: impl ToString) -> Error {
    Error::Bad { why: why.to_string() }
}
