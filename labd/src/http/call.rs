//! A request becomes a call, and its answer a response.

use std::io::ErrorKind;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, RawPathParams, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, on};
use protocol::Error;
use protocol::client::Call;
use protocol::link::of_server;
use protocol::request::RequestId;
use protocol::service::LabRequest;
use protocol::user::Role;
use protocol::wire::{LARGEST_CALL, LARGEST_FRAME};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value as Json};
use tarpc::context::{self, Context};
use tarpc::server::Serve;

use super::problem::Problem;
use super::routes::{self, Rest, Route};
use crate::lab::people::Peer;
use crate::lab::{Lab, internal};
use crate::rpc::calls::Caller;
use crate::rpc::once::Once;

/// The longest name that a client gives to a request, in bytes.
pub(super) const LONGEST_KEY: usize = 255;

/// What is needed of a call to answer requests for it.
struct Asked {
    call: Call,
    route: Route,
    /// What it takes that is a number.
    numbers: Vec<String>,
}

/// Adds the route of a call.
pub(super) fn route(router: Router<Arc<Lab>>, call: Call) -> Router<Arc<Lab>> {
    let asked = Arc::new(Asked::new(call));
    let (path, method) = (asked.route.path, asked.route.method.clone());
    let method = MethodFilter::try_from(method).unwrap_or(MethodFilter::GET);
    let handler = async move |caller: Caller, path: RawPathParams, request: Request| match asked
        .answer(caller, path, request)
        .await
    {
        Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(why) => Problem(why).into_response(),
    };
    router.route(path, on(method, handler))
}

impl Asked {
    fn new(call: Call) -> Asked {
        let mut schemas = SchemaGenerator::default();
        let (takes, _) = call.schemas(&mut schemas);
        let route = routes::route(call);
        let mut numbers = Vec::new();
        for (name, schema) in takes {
            match route.rest == Rest::Whole(name) {
                true => numbers.extend(members(&schema, &schemas, is_number)),
                false if is_number(&schema, &schemas) => numbers.push(name.to_owned()),
                false => {}
            }
        }
        Asked { call, route, numbers }
    }

    async fn answer(
        &self,
        caller: Caller,
        path: RawPathParams,
        request: Request,
    ) -> Result<Vec<u8>, Error> {
        let key = key(request.headers())?;
        let mut takes = self.rest(&caller, request).await?;
        for (name, value) in &path {
            takes.insert(name.to_owned(), self.value(name, value)?);
        }
        let named = Json::Object(Map::from_iter([(format!("{:?}", self.call), takes.into())]));
        let context = context(&caller.peer, key, &named);
        let request: LabRequest = serde_json::from_value(named).map_err(bad)?;
        let answer = Once(caller).serve(context, request).await;
        let answer = answer.map_err(|why| match why.kind {
            ErrorKind::Other => internal(why.detail),
            _ => of_server(why),
        })?;
        Call::json(&answer)?.map_err(bad)
    }

    /// What the query or the body says, by the names of what the call takes.
    async fn rest(&self, caller: &Caller, request: Request) -> Result<Map<String, Json>, Error> {
        let rest = match self.route.is_in_query() {
            true => self.query(&request)?,
            false => body(caller, request.into_body()).await?,
        };
        match (self.route.rest, rest) {
            (Rest::Whole(name), rest) => Ok(Map::from_iter([(name.to_owned(), rest)])),
            (_, Json::Object(named)) => Ok(named),
            (_, _) => Err(bad("the body is a JSON object")),
        }
    }

    fn query(&self, request: &Request) -> Result<Json, Error> {
        let Query(query) =
            Query::<Vec<(String, String)>>::try_from_uri(request.uri()).map_err(bad)?;
        if self.route.rest == Rest::Boards {
            return routes::filter(query);
        }
        let mut named = Map::new();
        for (name, value) in query {
            let value = self.value(&name, &value)?;
            if named.insert(name.clone(), value).is_some() {
                return Err(bad(format!("'{name}' is said twice")));
            }
        }
        Ok(Json::Object(named))
    }

    /// What a path or a query says as text.
    fn value(&self, name: &str, text: &str) -> Result<Json, Error> {
        if !self.numbers.iter().any(|number| number == name) {
            return Ok(text.into());
        }
        let number: u64 =
            text.parse().map_err(|_| bad(format!("'{name}' is a number, not '{text}'")))?;
        Ok(number.into())
    }
}

/// What a body says; nothing is an object without members.
async fn body(caller: &Caller, body: Body) -> Result<Json, Error> {
    let largest = match caller.lab.who(&caller.peer)?.role {
        Role::Admin => LARGEST_FRAME,
        _ => LARGEST_CALL,
    };
    let too_large =
        |_| bad(format!("the body did not come whole, or has more than {largest} bytes"));
    let bytes = to_bytes(body, largest).await.map_err(too_large)?;
    match bytes.is_empty() {
        true => Ok(Json::Object(Map::new())),
        false => serde_json::from_slice(&bytes)
            .map_err(|error| bad(format!("the body is no JSON: {error}"))),
    }
}

/// What the client calls the request, if it does: the field is that of
/// draft-ietf-httpapi-idempotency-key-header.
fn key(headers: &HeaderMap) -> Result<Option<HeaderValue>, Error> {
    match headers.get("idempotency-key") {
        Some(key) if key.len() > LONGEST_KEY => {
            Err(bad(format!("an Idempotency-Key has at most {LONGEST_KEY} bytes")))
        }
        key => Ok(key.cloned()),
    }
}

/// With an id of the request, if the client calls it something: asked again, it is not done again. Under
/// the same name, something else is another request, and so is what somebody else asks, or the same person
/// with another token.
fn context(peer: &Peer, key: Option<HeaderValue>, asked: &Json) -> Context {
    let mut context = context::current();
    let Some(key) = key else { return context };
    let mut hasher = blake3::Hasher::new();
    for part in [key.as_bytes(), peer.proof.mark().as_bytes(), asked.to_string().as_bytes()] {
        hasher.update(&part.len().to_le_bytes()).update(part);
    }
    let hash = hasher.finalize();
    let bits = hash.as_bytes().first_chunk().map(|bits| u128::from_ne_bytes(*bits));
    if let Some(id) = bits.and_then(RequestId::from_bits) {
        id.put(&mut context, None);
    }
    context
}

fn bad(why: impl ToString) -> Error {
    Error::Bad { why: why.to_string() }
}

/// The members of an object for which something is so.
fn members(
    schema: &Schema,
    known: &SchemaGenerator,
    is_so: fn(&Schema, &SchemaGenerator) -> bool,
) -> Vec<String> {
    let schema = resolved(schema, known);
    let properties = schema.get("properties").and_then(Json::as_object).into_iter().flatten();
    let is_so = |(_, schema): &(&String, &Json)| {
        Schema::try_from((*schema).clone()).is_ok_and(|schema| is_so(&schema, known))
    };
    properties.filter(is_so).map(|(name, _)| name.clone()).collect()
}

fn is_number(schema: &Schema, known: &SchemaGenerator) -> bool {
    if let Some(Json::Array(any)) = schema.get("anyOf") {
        let of_any = |of: &Json| Schema::try_from(of.clone()).is_ok_and(|of| is_number(&of, known));
        return any.iter().any(of_any);
    }
    let schema = resolved(schema, known);
    let is_integer = |kind: &Json| kind == "integer";
    match schema.get("type") {
        Some(Json::Array(kinds)) => kinds.iter().any(is_integer),
        kind => kind.is_some_and(is_integer),
    }
}

/// What a schema refers to, if it does.
pub(super) fn resolved(schema: &Schema, known: &SchemaGenerator) -> Schema {
    let name = schema.get("$ref").and_then(Json::as_str).and_then(|path| path.rsplit('/').next());
    let found = name.and_then(|name| known.definitions().get(name)).cloned();
    found.and_then(|found| Schema::try_from(found).ok()).unwrap_or_else(|| schema.clone())
}
