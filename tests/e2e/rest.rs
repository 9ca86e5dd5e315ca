//! The REST door beside the [matrix](super::matrix): its document, and what is no request.
//!
//! Planted, and caught: a route is left out of the document; a route asks nobody who they are; a key that
//! is said twice does it twice; a connection that stays keeps the role with which it began.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use lab_tests::lab::{Plan, TestLab, boards, name};
use lab_tests::patience::soon;
use lab_tests::person::Person;
use lab_tests::rest::{Answer, Rest};
use labd::doorstep::Doorstep;
use labd::doorstep::guests::{Guests, Room};
use protocol::Span;
use protocol::account::{AccountAsk, Secret, TokenAsk};
use protocol::client::Call;
use protocol::journal::Event;
use protocol::user::{Role, UserName, Who};
use protocol::wire::Follow;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};

/// What is for those whom the lab does not know yet.
const LOGIN: [&str; 3] = ["login_begin", "login_offers", "login_progress"];

async fn open() -> Result<(TestLab, std::sync::Arc<Rest>)> {
    let lab = Plan::new(boards(&["rpi4"])).by_hand().open().await?;
    let door = Rest::new(lab.lab()).await?;
    Ok((lab, door))
}

async fn token(lab: &TestLab) -> Result<Secret> {
    Ok(lab.admin().await?.make_token(TokenAsk::default()).await?.secret)
}

#[tokio::test]
async fn the_document_names_every_call_and_nothing_answers_whoever_is_unknown() -> Result<()> {
    let (lab, door) = open().await?;
    let named: BTreeSet<&str> = door.names().map(|(name, ..)| name).collect();
    let calls: BTreeSet<&str> = Call::ALL.iter().map(|call| call.name()).collect();
    assert!(calls.is_subset(&named), "{named:?}");
    let others = named.difference(&calls).copied();
    let (logins, flows): (Vec<&str>, Vec<&str>) = others.partition(|name| LOGIN.contains(name));
    assert_eq!(
        flows,
        ["console", "desk", "export", "keep", "replay", "search", "table", "timeline"]
    );
    assert_eq!(logins, LOGIN);
    for (name, method, path) in door.names().filter(|(name, ..)| !LOGIN.contains(name)) {
        // A door of its own for each: whoever keeps guessing is shut out.
        let door = Rest::new(lab.lab()).await?;
        let target = path.replace(['{', '}'], "");
        let answer = door.ask(method, &target, None, None).await?;
        assert_eq!(answer.status, 401, "{name}: {method} {target}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        assert_eq!(answer.json().await?["kind"], json!("not-known"), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn every_schema_that_the_document_refers_to_is_there() -> Result<()> {
    let (_lab, door) = open().await?;
    let document = door.ask("GET", "/openapi.json", None, None).await?.json().await?;
    let text = document.to_string();
    let referred: BTreeSet<&str> =
        text.split("\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(referred.contains("/components/schemas/BoardDetail"), "{referred:?}");
    for pointer in referred {
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    assert_eq!(document["openapi"], json!("3.1.0"));
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_asked_again_under_its_key_is_not_done_again() -> Result<()> {
    let (lab, door) = open().await?;
    let token = token(&lab).await?;
    let other = lab.admin().await?.make_token(TokenAsk::default()).await?.secret;
    // The key alone makes no request the same: not with other words, and not of another token.
    for (token, key, text) in [
        (&token, "one", "1"),
        (&token, "one", "1"),
        (&token, "two", "2"),
        (&token, "one", "1"),
        (&token, "one", "3"),
        (&other, "one", "1"),
    ] {
        let body = json!({ "text": text }).to_string();
        let request = format!(
            "POST /api/v1/boards/rpi4/notes HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\
             Authorization: Bearer {}\r\nIdempotency-Key: {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            token.as_str(),
            body.len(),
        );
        let mut stream = door.connect()?;
        stream.write_all(request.as_bytes()).await?;
        assert_eq!(Answer::read(stream).await?.status, 200);
    }
    let all = Follow::Journal {
        board: Some(name("rpi4")),
        from: Some(1),
        since: None,
        tail: 0,
        stop_at_end: true,
    };
    let all = lab.admin().await?.follow(all).await?.rest().await?;
    let noted = all.lines().filter(|line| line.contains(r#""kind":"noted""#)).count();
    assert_eq!(noted, 4, "{all}");
    Ok(())
}

#[tokio::test]
async fn what_is_no_request_or_too_large_is_refused_and_the_door_stays_open() -> Result<()> {
    let (lab, door) = open().await?;
    let many = "X: y\r\n".repeat(70);
    let long = "x".repeat(200_000);
    for (said, status) in [
        ("\0\0\0\0\r\n\r\n".to_owned(), "400"),
        ("GET /api/v1/boards HTTP/9.9\r\n\r\n".to_owned(), "400"),
        (format!("GET /api/v1/boards HTTP/1.1\r\nHost: lab\r\n{many}\r\n"), "431"),
        (format!("GET /api/v1/boards HTTP/1.1\r\nHost: {long}\r\n\r\n"), "431"),
    ] {
        // A door of its own for each, as above.
        let mut stream = Rest::new(lab.lab()).await?.connect()?;
        // The other side may have heard enough before all is said.
        let _ = stream.write_all(said.as_bytes()).await;
        let mut answer = String::new();
        soon(stream.read_to_string(&mut answer)).await.with_context(|| status)??;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    let token = token(&lab).await?;
    let answer = door.ask("GET", "/boards", Some(&token), None).await?;
    assert_eq!(answer.status, 200);
    let root = lab.admin().await?;
    let add = AccountAsk::Add { role: Role::User, span: None };
    root.change_account("ada".parse()?, add).await?;
    let ask = TokenAsk { who: Some("ada".parse()?), ..TokenAsk::default() };
    let adas = root.make_token(ask).await?.secret;
    // Only an administrator may say so much at once, and a note is short all the same.
    for (token, told) in [
        (&adas, "the body did not come whole, or has more than 65536 bytes"),
        (&token, "a note has at most 4096 bytes"),
    ] {
        let body = Some(json!({ "text": "x".repeat(100_000) }));
        let problem =
            door.ask("POST", "/boards/rpi4/notes", Some(token), body).await?.json().await?;
        assert_eq!(problem["detail"], json!(told));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_is_let_go() -> Result<()> {
    let (_lab, door) = open().await?;
    for said in ["", "GET /api/v1/boards HTTP/1.1\r\nHost:"] {
        let mut stream = door.connect()?;
        stream.write_all(said.as_bytes()).await?;
        let began = tokio::time::Instant::now();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        assert!(began.elapsed() <= Duration::from_secs(20), "{:?}", began.elapsed());
    }
    Ok(())
}

#[tokio::test]
async fn what_flows_says_where_it_begins() -> Result<()> {
    let (lab, door) = open().await?;
    let token = token(&lab).await?;
    lab.admin().await?.note(name("rpi4"), "here".to_owned()).await?;
    let answer =
        door.ask("GET", "/timeline?tail=1&board=rpi4&end=true", Some(&token), None).await?;
    assert_eq!((answer.status, &*answer.headers["content-type"]), (200, "application/x-ndjson"));
    let start: u64 = answer.headers["lab-start"].parse().context("a number")?;
    let noted = |event: &Event| matches!(event, Event::Noted { text } if text == "here");
    assert_eq!(lab.admin().await?.journal("rpi4").await?.event(noted).await?.seq, start);
    Ok(())
}

#[tokio::test]
async fn what_the_configuration_gave_is_gone_after_a_reload_on_connections_that_stay() -> Result<()>
{
    let says_who = boards(&["rpi4"]);
    let says_nothing: Vec<_> = says_who.lines().filter(|it| !it.starts_with("access")).collect();
    let mut lab = Plan::new(says_nothing.join("\n")).by_hand().open().await?;
    let (root, door) = (lab.admin().await?, Rest::new(lab.lab()).await?);
    // To the system somebody, and so a user as long as nothing is said.
    let nobody: UserName = "nobody".parse()?;
    let add = AccountAsk::Add { role: Role::Viewer, span: None };
    root.change_account(nobody.clone(), add).await?;
    let ask = TokenAsk { who: Some(nobody), ..TokenAsk::default() };
    let secret = root.make_token(ask).await?.secret;
    let mut stays = door.connect()?;
    assert_eq!(role_on(&mut stays, &secret).await?, "user");
    let mut table = Person::by_rest(&door, secret.clone()).follow(Follow::Boards).await?;
    lab.ground().configure(&says_who).await?;
    root.reload().await?;
    table.rest().await?;
    assert_eq!(role_on(&mut stays, &secret).await?, "viewer");
    Ok(())
}

/// The role of whoever asks on a connection that stays open.
async fn role_on(stream: &mut BufReader<DuplexStream>, token: &Secret) -> Result<String> {
    let ask = format!(
        "GET /api/v1/whoami HTTP/1.1\r\nHost: lab\r\nAuthorization: Bearer {}\r\n\r\n",
        token.as_str()
    );
    stream.write_all(ask.as_bytes()).await?;
    let (mut line, mut length) = (String::new(), 0);
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).await?;
        if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = said.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let who: Who = serde_json::from_slice(&body)?;
    Ok(who.role.to_string())
}

#[tokio::test]
async fn a_connection_counts_for_whoever_asks_on_it() -> Result<()> {
    let (lab, _) = open().await?;
    let guests = Guests::new(Room { all: 10, one: 1 });
    let door = Rest::before(lab.lab(), Doorstep::before(guests.clone(), Vec::new())).await?;
    let ask = format!(
        "GET /api/v1/whoami HTTP/1.1\r\nHost: lab\r\nAuthorization: Bearer {}\r\n\r\n",
        token(&lab).await?.as_str()
    );
    let answer = async || -> Result<Answer> {
        let mut stream = door.connect()?;
        stream.write_all(ask.repeat(2).as_bytes()).await?;
        Answer::read(stream).await
    };
    let first = answer().await?;
    assert_eq!((first.status, *guests.count().borrow()), (200, 1));
    let refused = answer().await?;
    assert_eq!(refused.status, 400);
    let why = refused.json().await?["why"].clone();
    assert_eq!(why, json!("you have 1 connections to this lab, the most for one user; close some"));
    drop(first);
    soon(guests.count().wait_for(|count| *count == 0)).await??;
    assert_eq!(answer().await?.status, 200);
    Ok(())
}

/// Asks something on a connection that goes on; its status and headers.
async fn say(
    stream: &mut tokio::io::BufReader<tokio::io::DuplexStream>,
    request: &str,
) -> Result<Answer> {
    let (other, _) = tokio::io::duplex(1);
    stream.write_all(request.as_bytes()).await?;
    let taken = std::mem::replace(stream, tokio::io::BufReader::new(other));
    soon(Answer::read(taken)).await?
}

/// Planted, and caught: each request without a proof counts as a wrong one.
#[tokio::test]
async fn whoever_shows_nothing_bars_nobody_and_whoever_guesses_is_barred() -> Result<()> {
    let (_lab, door) = open().await?;
    for _ in 0..6 {
        assert_eq!(door.ask("GET", "/boards", None, None).await?.status, 401);
        let mut stream = door.connect()?;
        let page = "GET /login/callback?state=x HTTP/1.1\r\nHost: lab\r\n\r\n";
        assert_eq!(say(&mut stream, page).await?.status, 403);
    }
    for _ in 0..40 {
        let mut stream = door.connect()?;
        let picture =
            "GET /login/callback?state=x HTTP/1.1\r\nHost: lab\r\nSec-Fetch-Dest: image\r\n\r\n";
        assert_eq!(say(&mut stream, picture).await?.status, 403);
    }
    let wrong = Secret::new([7; 32]);
    let mut tries = 0;
    while let Ok(answer) = door.ask("GET", "/boards", Some(&wrong), None).await {
        assert_eq!(answer.status, 401);
        tries += 1;
        assert!(tries < 10, "whoever guesses is never barred");
    }
    Ok(())
}

/// Planted, and caught: a connection on which somebody was known once bears with any number of guesses.
#[tokio::test]
async fn a_connection_ends_with_whoever_is_no_longer_known() -> Result<()> {
    let (lab, door) = open().await?;
    let token = token(&lab).await?;
    let good = format!("Authorization: Bearer {}\r\n", token.as_str());
    let bad = format!("Authorization: Bearer {}\r\n", Secret::new([7; 32]).as_str());
    for (said, answers) in [(vec![&good, &good, &bad, &bad], 3), (vec![&bad; 5], 3)] {
        let mut stream = door.connect()?;
        for proof in said {
            let request = format!("GET /api/v1/whoami HTTP/1.1\r\nHost: lab\r\n{proof}\r\n");
            let _ = stream.write_all(request.as_bytes()).await;
        }
        let mut said = String::new();
        soon(stream.read_to_string(&mut said)).await??;
        assert_eq!(said.matches("HTTP/1.1 ").count(), answers, "{said}");
        assert!(said.to_ascii_lowercase().contains("connection: close"), "{said}");
    }
    Ok(())
}

/// Planted, and caught: a form's content is taken for JSON; a page of another site is answered.
#[tokio::test]
async fn a_page_of_another_site_asks_in_vain() -> Result<()> {
    let (lab, door) = open().await?;
    let proof = format!("Authorization: Bearer {}", token(&lab).await?.as_str());
    for (said, wanted) in [
        ("Content-Type: application/json", 200),
        ("Content-Type: application/json\r\nOrigin: https://lab", 200),
        ("Content-Type: Application/JSON; charset=utf-8\r\nSec-Fetch-Site: none", 200),
        ("Content-Type: application/json\r\nOrigin: https://elsewhere", 403),
        ("Content-Type: application/json\r\nOrigin: https://lab:8443", 403),
        ("Content-Type: application/json\r\nOrigin: null", 403),
        ("Content-Type: application/json\r\nSec-Fetch-Site: cross-site", 403),
        ("Content-Type: application/json\r\nSec-Fetch-Site: same-site", 403),
        ("Content-Type: text/plain", 415),
        ("Content-Type: application/x-www-form-urlencoded", 415),
        ("X: y", 415),
    ] {
        let body = r#"{"text":"x"}"#;
        let request = format!(
            "POST /api/v1/boards/rpi4/notes HTTP/1.1\r\nHost: lab\r\n{proof}\r\n{said}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = say(&mut door.connect()?, &request).await?;
        assert_eq!(answer.status, wanted, "{said}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{said}");
    }
    for path in ["lab", "table", "whoami"] {
        let request = format!(
            "GET /api/v1/{path} HTTP/1.1\r\nHost: lab\r\n{proof}\r\nOrigin: https://elsewhere\r\n\r\n"
        );
        assert_eq!(say(&mut door.connect()?, &request).await?.status, 403, "{path}");
    }
    Ok(())
}

/// Planted, and caught: a stream that is cut ends as one that is whole.
#[tokio::test]
async fn a_stream_that_is_cut_does_not_look_whole() -> Result<()> {
    let (lab, door) = open().await?;
    let made = lab.admin().await?.make_token(TokenAsk::default()).await?;
    for (path, is_whole) in [("timeline?end=true", true), ("admin/export", true), ("table", false)]
    {
        let mut stream = door.connect()?;
        let request = format!(
            "GET /api/v1/{path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
            made.secret.as_str()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut said = vec![0; 12];
        soon(stream.read_exact(&mut said)).await??;
        assert_eq!(said, b"HTTP/1.1 200", "{path}");
        if !is_whole {
            lab.admin().await?.revoke_token(made.token.id.clone()).await?;
        }
        soon(stream.read_to_end(&mut said)).await??;
        assert_eq!(said.ends_with(b"\r\n0\r\n\r\n"), is_whole, "{path}");
    }
    Ok(())
}

/// A problem's status, and what kind it says it is.
async fn problem(answer: Answer) -> Result<(u16, Json)> {
    let status = answer.status;
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    let said = answer.json().await?;
    assert_eq!(said["status"], json!(status), "{said}");
    Ok((status, said))
}

/// Planted, and caught: a conflict is a bad request.
#[tokio::test]
async fn what_somebody_else_has_is_a_conflict_that_says_who() -> Result<()> {
    let (lab, door) = open().await?;
    let root = lab.admin().await?;
    root.change_account("bob".parse()?, AccountAsk::Add { role: Role::User, span: None }).await?;
    let ask = TokenAsk { who: Some("bob".parse()?), ..TokenAsk::default() };
    let bobs = root.make_token(ask).await?.secret;
    let wish = || json!({ "want": { "kind": "board", "name": "rpi4" }, "if_taken": "refuse" });
    let asked = [
        ("POST", "/boards/rpi4/power", Some(json!({ "ask": "on" }))),
        ("DELETE", "/boards/rpi4/hold", None),
    ];
    for (method, path, body) in asked.clone() {
        let answer = door.ask(method, path, Some(&bobs), body).await?;
        let (status, said) = problem(answer).await?;
        assert_eq!((status, &said["kind"]), (409, &json!("not-held")), "{method} {path}");
    }
    lab.user("ada").await?.reserve(lab_tests::lab::board("rpi4")).await?;
    for (method, path, body) in asked.into_iter().chain([("POST", "/holds", Some(wish()))]) {
        let answer = door.ask(method, path, Some(&bobs), body).await?;
        let (status, said) = problem(answer).await?;
        assert_eq!((status, &said["kind"]), (409, &json!("held-by")), "{method} {path}");
        assert_eq!((&said["board"], &said["who"]), (&json!("rpi4"), &json!("ada")), "{said}");
    }
    Ok(())
}

/// Planted, and caught: nobody is told when to ask again.
#[tokio::test]
async fn where_too_many_ask_one_is_told_when_to_ask_again() -> Result<()> {
    let text = "tls { listen = \"127.0.0.1:1\"; name = localhost }\n\
                login { github { client_id = lab; client_secret_file = \"@dir/secret\" } }\n";
    let plan = Plan::new(format!("{text}{}", boards(&["rpi4"]))).secret("secret", "x");
    let lab = plan.by_hand().open().await?;
    let door = Rest::new(lab.lab()).await?;
    let begin =
        async || door.ask("POST", "/login", None, Some(json!({ "provider": "github" }))).await;
    for _ in 0..8 {
        assert_eq!(begin().await?.status, 200);
    }
    let answer = begin().await?;
    assert_eq!(answer.headers["retry-after"], "10");
    let (status, said) = problem(answer).await?;
    assert_eq!((status, &said["kind"]), (503, &json!("busy")), "{said}");
    lab.advance(Span::minutes(10));
    assert_eq!(begin().await?.status, 200);
    Ok(())
}

/// Planted, and caught: that a lab is being closed is a fault of whoever asks.
#[tokio::test(flavor = "multi_thread")]
async fn a_lab_that_is_being_closed_says_that_it_does_not_serve() -> Result<()> {
    let (lab, door) = open().await?;
    let token = token(&lab).await?;
    let closed = lab.lab().clone();
    tokio::task::spawn_blocking(move || closed.close()).await?;
    let note = Some(json!({ "text": "x" }));
    let answer = door.ask("POST", "/boards/rpi4/notes", Some(&token), note).await?;
    assert_eq!(answer.headers.get("retry-after"), None, "nobody knows when");
    let (status, said) = problem(answer).await?;
    assert_eq!((status, &said["kind"]), (503, &json!("unreachable")), "{said}");
    assert_eq!(said["why"], json!("it is being closed"));
    Ok(())
}

/// Planted, and caught: that somebody is not there is told as of something that is asked for.
#[tokio::test]
async fn a_token_whose_owner_is_gone_is_of_nobody() -> Result<()> {
    let config = boards(&["rpi4"]);
    let mut lab = Plan::new(&*config).by_hand().open().await?;
    let (root, door) = (lab.admin().await?, Rest::new(lab.lab()).await?);
    let ask = TokenAsk { who: Some("eve".parse()?), ..TokenAsk::default() };
    let eves = root.make_token(ask).await?.secret;
    assert_eq!(door.ask("GET", "/whoami", Some(&eves), None).await?.status, 200);
    // Nobody but the configuration has ever heard of her.
    lab.ground().configure(&config.replace(", eve]", "]")).await?;
    root.reload().await?;
    let answer = door.ask("GET", "/whoami", Some(&eves), None).await?;
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    let (status, said) = problem(answer).await?;
    assert_eq!((status, &said["kind"]), (401, &json!("not-known")), "{said}");
    assert_eq!(said["detail"], json!("this is of eve, of whom the lab no longer knows"));
    Ok(())
}
