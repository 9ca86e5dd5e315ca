//! The lab's REST door as a client sees it: a person whose every call and follow goes through it, the way
//! its own OpenAPI document says.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use futures::StreamExt;
use labd::doorstep::{Doorstep, Stranger};
use labd::http::Site;
use labd::lab::Lab;
use protocol::Error;
use protocol::account::Secret;
use protocol::client::Call;
use protocol::search::Search;
use protocol::service::{LabRequest, LabResponse};
use protocol::wire::{self, Follow, Welcome};
use serde_json::{Map, Value as Json, json};
use tarpc::context::Context;
use tarpc::server::{BaseChannel, Channel, Serve};
use tarpc::{RequestName, ServerError};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};
use tokio::time::Instant;

use crate::follower::Stream;
use crate::patience::PATIENCE;

/// Where everything is.
const API: &str = "/api/v1";

/// The door.
pub struct Rest {
    site: Arc<Site>,
    doorstep: Arc<Doorstep>,
    /// By their names.
    operations: BTreeMap<String, Operation>,
}

/// How something is asked for.
#[derive(Debug)]
struct Operation {
    method: String,
    path: String,
    /// The names of its parameters, with whether each is in the path.
    parameters: Vec<(String, bool)>,
    /// Whether its body is what the call takes, and not an object that has it.
    is_whole: bool,
}

/// An answer, whose body has not been read yet.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
    body: BufReader<DuplexStream>,
}

impl Rest {
    /// The door of a lab, which knows what its document says.
    ///
    /// # Errors
    /// If the document is none.
    pub async fn new(lab: &Arc<Lab>) -> Result<Arc<Rest>> {
        Rest::before(lab, Doorstep::new()).await
    }

    /// The same, with a doorstep that others have, too.
    ///
    /// # Errors
    /// As [`Rest::new`].
    pub async fn before(lab: &Arc<Lab>, doorstep: Arc<Doorstep>) -> Result<Arc<Rest>> {
        let site = Arc::new(Site::new(lab.clone()));
        let mut door = Rest { site, doorstep, operations: BTreeMap::new() };
        let document = door.ask("GET", "/openapi.json", None, None).await?.json().await?;
        door.operations = operations(&document)?;
        Ok(Arc::new(door))
    }

    /// The names of all that can be asked for, with method and path.
    pub fn names(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.operations.iter().map(|(name, it)| (&**name, &*it.method, &*it.path))
    }

    /// A connection of somebody whom the door does not know yet.
    ///
    /// # Errors
    /// If the door is closed to them.
    pub fn connect(&self) -> Result<BufReader<DuplexStream>> {
        let (here, there) = duplex(64 * 1024);
        let from = Ipv4Addr::LOCALHOST.into();
        let place = self.doorstep.admit(from).context("the door is closed")?;
        let stranger = Stranger { from, due: Instant::now() + PATIENCE, place };
        let site = self.site.clone();
        tokio::spawn(async move { site.serve(stranger, None, there).await });
        Ok(BufReader::new(here))
    }

    /// Sends one request, on a connection of its own.
    ///
    /// # Errors
    /// If what is answered is no HTTP.
    pub async fn ask(
        &self,
        method: &str,
        target: &str,
        token: Option<&Secret>,
        body: Option<Json>,
    ) -> Result<Answer> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let token = token.map(|token| format!("Authorization: Bearer {}\r\n", token.as_str()));
        let head = format!(
            "{method} {API}{target} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n{}\r\n",
            body.len(),
            token.unwrap_or_default(),
        );
        let mut stream = self.connect()?;
        // The other side may have heard enough before all is said.
        let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        Answer::read(stream).await
    }

    /// Asks as a call does.
    async fn call(&self, token: &Secret, request: &LabRequest) -> Result<LabResponse> {
        let call = Call::from(request);
        let operation = self.operations.get(call.name()).context("it is not in the document")?;
        let variant = format!("{call:?}");
        let mut takes = match serde_json::to_value(request)?.get_mut(&variant).map(Json::take) {
            Some(Json::Object(takes)) => takes,
            other => bail!("{call:?} takes {other:?}"),
        };
        let target = operation.target(&mut takes);
        let body = (operation.method == "POST").then(|| operation.body(takes));
        let answer = self.ask(&operation.method, &target, Some(token), body).await?;
        let outcome = if answer.status == 200 { "Ok" } else { "Err" };
        let said = answer.json().await?;
        Ok(serde_json::from_value(json!({ variant: { outcome: said } }))?)
    }

    /// Follows something that flows.
    ///
    /// # Errors
    /// The lab's.
    pub async fn follow(
        &self,
        token: &Secret,
        what: &Follow,
    ) -> Result<(BufReader<Box<dyn Stream>>, Welcome), Error> {
        let broke = |why: anyhow::Error| Error::Bad { why: format!("{why:#}") };
        let answer = self.ask("GET", &flow(what), Some(token), None).await.map_err(broke)?;
        if answer.status != 200 {
            let said = answer.json().await.map_err(broke)?;
            return Err(serde_json::from_value(said).unwrap_or(Error::Unknown));
        }
        let number = |name: &str| answer.headers.get(name).and_then(|it| it.parse().ok());
        let welcome = Welcome {
            start: number("lab-start").unwrap_or_default(),
            session: number("lab-session").unwrap_or_default(),
            painted: number("lab-painted").unwrap_or_default(),
            run: None,
        };
        // What flows is in chunks: enough for whoever only wants to be there.
        Ok((BufReader::new(Box::new(answer.body)), welcome))
    }

    /// A stream on which the calls of a client are asked here, as whoever has a token.
    pub fn calls(self: &Arc<Self>, token: Secret) -> DuplexStream {
        let (here, there) = duplex(64 * 1024);
        let bridge = Bridge { door: self.clone(), token };
        let answers = BaseChannel::with_defaults(wire::frames(there)).execute(bridge);
        tokio::spawn(answers.for_each_concurrent(None, |answer| answer));
        here
    }
}

/// What answers a client's calls by asking the door.
#[derive(Clone)]
struct Bridge {
    door: Arc<Rest>,
    token: Secret,
}

impl Serve for Bridge {
    type Req = LabRequest;
    type Resp = LabResponse;

    async fn serve(self, _: Context, request: LabRequest) -> Result<LabResponse, ServerError> {
        let answer = self.door.call(&self.token, &request).await;
        answer.map_err(|error| {
            let why = format!("{}: {error:#}", request.name());
            ServerError::new(std::io::ErrorKind::InvalidData, why)
        })
    }
}

impl Operation {
    /// Its path with what the call takes, and a query with the rest if there is no body.
    fn target(&self, takes: &mut Map<String, Json>) -> String {
        let mut path = self.path.clone();
        for (name, _) in self.parameters.iter().filter(|(_, is_in_path)| *is_in_path) {
            let value = takes.remove(name).map(|value| written(&value)).unwrap_or_default();
            path = path.replace(&format!("{{{name}}}"), &value);
        }
        if self.method == "POST" {
            return path;
        }
        let mut query = Vec::new();
        for (name, value) in takes {
            match value {
                Json::Object(members) => {
                    query.extend(members.iter().filter(|(_, value)| !value.is_null()).map(
                        |(name, value)| match (&**name, value) {
                            // A board, a class or tags: its kind is the name.
                            ("want", want) => wanted(want),
                            (name, value) => format!("{name}={}", written(value)),
                        },
                    ));
                }
                value => query.push(format!("{name}={}", written(value))),
            }
        }
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    }

    fn body(&self, mut takes: Map<String, Json>) -> Json {
        match takes.keys().next().cloned() {
            Some(name) if self.is_whole => takes.remove(&name).unwrap_or_default(),
            _ => takes.into(),
        }
    }
}

fn wanted(want: &Json) -> String {
    let text = |name: &str| want[name].as_str().map(escaped).unwrap_or_default();
    match want["kind"].as_str() {
        Some("board") => format!("board={}", text("name")),
        Some("class") => format!("class={}", text("name")),
        _ => format!("tags={}", text("expr")),
    }
}

fn written(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), escaped)
}

/// Everything but letters, digits and a little more as `%2F`.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// Where something flows.
fn flow(what: &Follow) -> String {
    match what {
        Follow::Console { board, pen, stop_at_end, .. } => {
            let pen = serde_json::to_value(pen).unwrap_or_default();
            format!("/boards/{board}/console?pen={}&end={stop_at_end}", written(&pen))
        }
        Follow::Journal { board, from, since, tail, stop_at_end } => {
            let board = board.as_ref().map(|board| format!("board={board}&")).unwrap_or_default();
            let from = from.map(|from| format!("from={from}&")).unwrap_or_default();
            let since = since.map(|since| format!("since={}&", since.0)).unwrap_or_default();
            format!("/timeline?{board}{from}{since}tail={tail}&end={stop_at_end}")
        }
        Follow::Replay { board, stop_at_end, .. } => {
            format!("/boards/{board}/replay?from=start&end={stop_at_end}")
        }
        Follow::Desk { board } => format!("/boards/{board}/desk"),
        Follow::Boards => "/table".to_owned(),
        Follow::Keep { number } => format!("/holds/{number}/keep"),
        Follow::Export => "/admin/export".to_owned(),
        Follow::Search(ask) => searched(ask),
        Follow::Tunnel { .. } => "/no-tunnels-here".to_owned(),
        Follow::Send { .. } => "/no-files-here".to_owned(),
    }
}

/// Where a search flows: what it says of itself, in a query.
fn searched(ask: &Search) -> String {
    let said = serde_json::to_value(ask).unwrap_or_default();
    let mut words = Vec::new();
    for (name, value) in said.as_object().into_iter().flatten() {
        match (name.as_str(), value) {
            (_, Json::Null) => {}
            ("boards", boards) => words.extend(
                boards.as_array().into_iter().flatten().map(|it| format!("board={}", written(it))),
            ),
            (name, value) => words.push(format!("{name}={}", written(value))),
        }
    }
    format!("/search?{}", words.join("&"))
}

fn operations(document: &Json) -> Result<BTreeMap<String, Operation>> {
    let mut operations = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().context("it has paths")? {
        for (method, said) in methods.as_object().context("a path has methods")? {
            let name = said["operationId"].as_str().context("an operation has a name")?;
            let parameters = said["parameters"].as_array().into_iter().flatten();
            let parameters = parameters.filter_map(|parameter| {
                Some((parameter["name"].as_str()?.to_owned(), parameter["in"] == "path"))
            });
            let body = &said["requestBody"]["content"]["application/json"]["schema"];
            let operation = Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                parameters: parameters.collect(),
                is_whole: body.get("$ref").is_some(),
            };
            let before = operations.insert(name.to_owned(), operation);
            anyhow::ensure!(before.is_none(), "{name} is there twice");
        }
    }
    Ok(operations)
}

impl Answer {
    /// Reads an answer up to its body.
    ///
    /// # Errors
    /// If it is no HTTP.
    pub async fn read(mut body: BufReader<DuplexStream>) -> Result<Answer> {
        let mut line = String::new();
        body.read_line(&mut line).await?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("'{line}' is no answer"))?;
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            body.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        Ok(Answer { status, headers, body })
    }

    /// Its body as JSON.
    ///
    /// # Errors
    /// If it is none.
    pub async fn json(mut self) -> Result<Json> {
        let length = self.headers.get("content-length").context("it has a length")?.parse()?;
        let mut body = vec![0; length];
        self.body.read_exact(&mut body).await?;
        Ok(serde_json::from_slice(&body)?)
    }
}
