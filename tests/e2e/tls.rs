//! Those from elsewhere: who gets in by TLS, with what, and for how long.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result};
use lab_tests::lab::{Plan, TestLab, board, boards, name};
use lab_tests::patience::soon;
use lab_tests::sshd::stand_in;
use labd::doorstep::Doorstep;
use labd::doorstep::guests::{Guests, Room};
use labd::tls::Door;
use protocol::account::{AccountAsk, CERTIFICATE, NewToken, Secret, TokenAsk};
use protocol::address::Address;
use protocol::client::Client;
use protocol::context::{Context, Proof};
use protocol::dial::{Flow, dial_known, dial_new, who_answers};
use protocol::journal::{Entry, Event};
use protocol::login;
use protocol::tls::{self, Pin};
use protocol::user::{Role, Scope, Verb};
use protocol::wire::{self, Follow, Purpose};
use protocol::{Error, Span};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

/// A lab with a door for those from elsewhere, and where that is.
pub(super) async fn open() -> Result<(TestLab, Address)> {
    open_with(&boards(&["rpi4"])).await
}

/// The same, with these boards.
async fn open_with(boards: &str) -> Result<(TestLab, Address)> {
    let text = format!("tls {{ listen = \"127.0.0.1:1\"; name = localhost }}\n{boards}");
    let lab = Plan::new(&*text).by_hand().open().await?;
    let at = open_door(&lab).await?;
    Ok((lab, at))
}

async fn open_door(lab: &TestLab) -> Result<Address> {
    open_door_at(lab, Doorstep::new()).await
}

async fn open_door_at(lab: &TestLab, doorstep: Arc<Doorstep>) -> Result<Address> {
    let config = lab.lab().config();
    let settings = config.tls.as_ref().context("it has a door")?;
    let door = Door::new(lab.lab().clone(), settings, doorstep)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(Arc::clone(&door).serve(listener));
    let pin = lab.lab().open_authority()?.pin();
    Ok(Address::Tls { host: "127.0.0.1".to_owned(), port, pin: Some(pin) })
}

pub(super) async fn invite(lab: &TestLab, who: &str) -> Result<Secret> {
    let root = lab.admin().await?;
    let ask = AccountAsk::Add { role: Role::User, span: None };
    root.change_account(who.parse()?, ask).await?;
    invite_again(lab, who).await
}

/// Another invitation for who has an account.
async fn invite_again(lab: &TestLab, who: &str) -> Result<Secret> {
    let ask = TokenAsk { who: Some(who.parse()?), joins: true, ..TokenAsk::default() };
    Ok(lab.admin().await?.make_token(ask).await?.secret)
}

async fn with_token(at: &Address, secret: &Secret) -> Result<Client, Error> {
    let (flow, _) = dial_new(at, Some(secret.clone()), &Purpose::Call).await?;
    Ok(Client::over(flow, at.clone()))
}

pub(super) async fn join(at: &Address, secret: &Secret) -> Result<Context, Error> {
    login::enter("lab".to_owned(), at, secret).await
}

async fn with_login(at: &Address, context: &Context) -> Result<Client, Error> {
    let (flow, _) = dial_known(at, Some(context.clone()), &Purpose::Call).await?;
    Ok(Client::over(flow, at.clone()))
}

/// Whether the other side closes the connection.
async fn ends(mut flow: Flow) -> Result<()> {
    let mut rest = Vec::new();
    let read = async { drop(flow.read_to_end(&mut rest).await) };
    soon(read).await
}

#[tokio::test]
async fn an_invitation_becomes_a_login_that_works_as_beside_the_rack() -> Result<()> {
    let (lab, at) = open().await?;
    let context = join(&at, &invite(&lab, "ada").await?).await?;
    let Proof::Certificate { since, until, .. } = &context.proof else { panic!("{context:?}") };
    assert_eq!(until.since(*since), Span::hours(24));
    let ada = with_login(&at, &context).await?;
    let who = ada.whoami().await?;
    assert_eq!((who.name.as_str(), who.role), ("ada", Role::User));
    assert!(
        who.via.as_ref().is_some_and(|via| via.starts_with("tls 127.0.0.1 certificate ")),
        "{who:?}"
    );
    ada.reserve(board("rpi4")).await?;
    let follow = Purpose::Follow(Follow::Boards);
    let (mut flow, _) = dial_known(&at, Some(context.clone()), &follow).await?;
    let row = protocol::client::next_line(&mut flow).await?.context("a row")?;
    assert!(row.contains("rpi4") && row.contains("ada"), "{row}");
    // What becomes of a hold is on the timeline, with where it was asked for.
    let mut journal = lab.admin().await?.journal("rpi4").await?;
    let via = loop {
        let entry = journal.entry().await?;
        if matches!(entry.event, Event::Reserved { .. }) {
            break entry.via;
        }
    };
    assert!(via.is_some_and(|via| via.starts_with("tls 127.0.0.1 certificate ")));
    // It is exchanged for the next one as it is used.
    let renewed = login::join("lab".to_owned(), &ada).await?;
    assert_ne!(renewed.proof, context.proof);
    assert_eq!(with_login(&at, &renewed).await?.whoami().await?.name.as_str(), "ada");
    Ok(())
}

#[tokio::test]
async fn whoever_answers_in_the_labs_place_is_not_believed() -> Result<()> {
    let (lab, at) = open().await?;
    let secret = invite(&lab, "ada").await?;
    let (other, theirs) = open().await?;
    let Address::Tls { port, .. } = theirs else { panic!("{theirs}") };
    let Address::Tls { host, pin, .. } = &at else { panic!("{at}") };
    let tapped = Address::Tls { host: host.clone(), port, pin: *pin };
    let refused = with_token(&tapped, &secret).await.err();
    assert!(matches!(refused, Some(Error::Impostor { .. })), "{refused:?}");
    assert_eq!(Some(who_answers(&tapped).await?), Some(other.lab().open_authority()?.pin()));
    // Nothing was told to them: the invitation is still good.
    join(&at, &secret).await?;
    // Without a pin, the system's authorities decide; they know neither.
    let Address::Tls { port, .. } = at else { panic!("{at}") };
    let unknown = Address::Tls { host: host.clone(), port, pin: None };
    let refused = with_token(&unknown, &secret).await.err().context("it is refused")?;
    assert!(refused.to_string().contains("labctl login"), "{refused}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_good_once_for_ten_minutes_and_nothing_else_becomes_a_login() -> Result<()>
{
    let (lab, at) = open().await?;
    let secret = invite(&lab, "ada").await?;
    let mut tries = Vec::new();
    for _ in 0..16 {
        let (at, secret) = (at.clone(), secret.clone());
        tries.push(tokio::spawn(async move { join(&at, &secret).await }));
    }
    let mut joined = 0;
    for attempt in tries {
        joined += usize::from(attempt.await?.is_ok());
    }
    assert_eq!(joined, 1);
    let root = lab.admin().await?;
    let make = |ask| root.make_token(ask);
    let at = open_door(&lab).await?;
    let ask = TokenAsk { who: Some("ada".parse()?), joins: true, ..TokenAsk::default() };
    let NewToken { secret, .. } = make(ask).await?;
    lab.advance(Span::minutes(10));
    let late = join(&at, &secret).await.err();
    assert!(matches!(late, Some(Error::NotKnown { .. })), "{late:?}");
    let ask = TokenAsk { who: Some("ada".parse()?), ..TokenAsk::default() };
    let NewToken { secret, .. } = make(ask).await?;
    let refused = join(&at, &secret).await.err();
    assert!(matches!(refused, Some(Error::NotKnown { .. })), "{refused:?}");
    Ok(())
}

/// Planted, and caught: another key gets a certificate, too; who comes again may do as who came first.
#[tokio::test(flavor = "multi_thread")]
async fn who_did_not_hear_the_answer_to_an_invitation_asks_again_with_the_same_key() -> Result<()> {
    let (lab, at) = open().await?;
    let secret = invite(&lab, "ada").await?;
    let key = KeyPair::generate()?;
    for _ in 0..2 {
        // The first answer may be lost: what counts is that it was given.
        let again = with_token(&at, &secret).await?;
        let enrolled = again.enrol(key.public_key_pem()).await?;
        let refused = again.whoami().await.err();
        assert!(matches!(refused, Some(Error::NotKnown { .. })), "{refused:?}");
        let (certificate, key) = (enrolled.certificate, key.serialize_pem());
        let proof =
            Proof::Certificate { certificate, key, since: enrolled.since, until: enrolled.until };
        let context = Context { name: "lab".to_owned(), address: at.clone(), proof };
        assert_eq!(with_login(&at, &context).await?.whoami().await?.name.as_str(), "ada");
    }
    // Whoever has another key has not got it from her.
    let other = with_token(&at, &secret).await?.enrol(KeyPair::generate()?.public_key_pem()).await;
    assert!(matches!(other, Err(Error::NotKnown { .. })), "{other:?}");
    let over = with_token(&at, &secret).await.err();
    assert!(matches!(over, Some(Error::NotKnown { .. })), "{over:?}");
    let secret = invite_again(&lab, "ada").await?;
    with_token(&at, &secret).await?.enrol(key.public_key_pem()).await?;
    lab.advance(Span::minutes(10));
    let late = with_token(&at, &secret).await.err();
    assert!(matches!(late, Some(Error::NotKnown { .. })), "{late:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_logged_out_is_out_and_does_not_come_in_again() -> Result<()> {
    let (lab, at) = open().await?;
    let context = join(&at, &invite(&lab, "ada").await?).await?;
    let ada = with_login(&at, &context).await?;
    let follow = Purpose::Follow(Follow::Boards);
    let (flow, _) = dial_known(&at, Some(context.clone()), &follow).await?;
    let root = lab.admin().await?;
    let logins = root.logins().await?;
    assert_eq!(logins.len(), 1);
    root.log_out(logins[0].id.clone()).await?;
    ends(flow).await?;
    assert!(soon(ada.whoami()).await?.is_err());
    let refused = with_login(&at, &context).await.err();
    assert!(matches!(refused, Some(Error::NotKnown { .. })), "{refused:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_over_when_its_time_is_unless_it_is_renewed() -> Result<()> {
    let (lab, at) = open().await?;
    let context = join(&at, &invite(&lab, "ada").await?).await?;
    let ada = with_login(&at, &context).await?;
    let follow = Purpose::Follow(Follow::Boards);
    let (flow, _) = dial_known(&at, Some(context.clone()), &follow).await?;
    let longer = TokenAsk { span: Some(Span::hours(48)), ..TokenAsk::default() };
    let token = ada.make_token(longer).await?.token;
    assert_eq!(token.until, lab.now() + Span::hours(48), "a token may last longer");
    lab.advance(Span(CERTIFICATE.0 - 1));
    let renewed = login::join("lab".to_owned(), &ada).await?;
    lab.advance(Span::millis(1));
    ends(flow).await?;
    assert!(ada.whoami().await.is_err());
    let refused = with_login(&at, &context).await.err();
    assert!(matches!(refused, Some(Error::NotKnown { .. })), "{refused:?}");
    assert_eq!(with_login(&at, &renewed).await?.whoami().await?.name.as_str(), "ada");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_outlasts_the_login_that_opened_it_and_not_its_revocation() -> Result<()> {
    let there = format!("tags = [arm64]; ip = \"127.0.0.1\"; ssh_port = {}", stand_in().await?);
    let (lab, at) = open_with(&boards(&["rpi4"]).replace("tags = [arm64]", &there)).await?;
    let first = join(&at, &invite(&lab, "ada").await?).await?;
    let ada = with_login(&at, &first).await?;
    ada.reserve(board("rpi4")).await?;
    let tunnel = Purpose::Follow(Follow::Tunnel { board: name("rpi4"), port: None });
    let (mut tunnel, _) = dial_known(&at, Some(first.clone()), &tunnel).await?;
    let follow = Purpose::Follow(Follow::Boards);
    let (table, _) = dial_known(&at, Some(first.clone()), &follow).await?;
    let second = login::join("lab".to_owned(), &ada).await?;
    // For what is under way.
    with_login(&at, &first).await?.whoami().await?;
    lab.advance(Span::minutes(10));
    ends(table).await?;
    let refused = with_login(&at, &first).await.err();
    assert!(matches!(refused, Some(Error::NotKnown { .. })), "{refused:?}");
    let third = login::join("lab".to_owned(), &with_login(&at, &second).await?).await?;
    assert_eq!(with_login(&at, &third).await?.logins().await?.len(), 2);
    tunnel.write_all(b"still\n").await?;
    tunnel.flush().await?;
    let mut said = [0; 21];
    soon(tunnel.read_exact(&mut said)).await??;
    assert_eq!(&said, b"SSH-2.0-board\r\nstill\n");
    let root = lab.admin().await?;
    let newest = root.logins().await?.into_iter().max_by_key(|login| login.until);
    root.log_out(newest.context("there is one")?.id).await?;
    ends(tunnel).await?;
    assert_eq!(root.logins().await?, []);
    assert!(with_login(&at, &second).await.is_err(), "what it renewed is good");
    Ok(())
}

#[tokio::test]
async fn a_token_opens_what_it_says_and_whoever_has_none_is_told_what_to_do() -> Result<()> {
    let (lab, at) = open().await?;
    let root = lab.admin().await?;
    let ask = AccountAsk::Add { role: Role::User, span: None };
    root.change_account("ci".parse()?, ask).await?;
    let scope = Scope { verbs: vec![Verb::See], ..Scope::default() };
    let ask = TokenAsk { who: Some("ci".parse()?), scope, ..TokenAsk::default() };
    let secret = root.make_token(ask).await?.secret;
    let ci = with_token(&at, &secret).await?;
    assert_eq!(ci.boards(Default::default()).await?.len(), 1);
    let refused = ci.reserve(board("rpi4")).await.unwrap_err();
    assert!(matches!(refused, Error::OutOfScope { .. }), "{refused:?}");
    let refused = dial_new(&at, None, &Purpose::Call).await.err().context("it is refused")?;
    assert!(refused.to_string().contains("labctl login"), "{refused}");
    root.board(name("rpi4")).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_is_not_listened_to_after_a_while() -> Result<()> {
    let (lab, at) = open().await?;
    let guess = |n: u8| Secret::new([n; 32]);
    for n in 0..3 {
        let refused = with_token(&at, &guess(n)).await.err();
        assert!(matches!(refused, Some(Error::NotKnown { .. })), "{refused:?}");
    }
    // The penalty is counted after the answer; from then on nobody answers.
    let barred = async {
        while !matches!(with_token(&at, &guess(9)).await, Err(Error::Unreachable { .. })) {
            tokio::task::yield_now().await;
        }
    };
    soon(barred).await?;
    assert_eq!(lab.admin().await?.boards(Default::default()).await?.len(), 1, "others are served");
    Ok(())
}

/// Planted, and caught: what comes from there counts all the same.
#[tokio::test]
async fn a_network_that_is_exempt_is_never_barred_and_others_are() -> Result<()> {
    let (lab, _) = open().await?;
    let wrong = Secret::new([7; 32]);
    for (exempt, is_barred) in [("127.0.0.0/8", false), ("10.0.0.0/8", true)] {
        let guests = Guests::new(Room { all: 100, one: 100 });
        let doorstep = Doorstep::before(guests, vec![exempt.parse()?]);
        let at = open_door_at(&lab, doorstep.clone()).await?;
        for n in 1..=10 {
            let refused = with_token(&at, &wrong).await.err();
            let is_heard = matches!(refused, Some(Error::NotKnown { .. }));
            assert!(is_heard || (is_barred && n > 3), "{exempt}: {refused:?}");
            // It is counted before the next one comes.
            soon(async {
                while is_heard && doorstep.strangers() > 0 {
                    tokio::task::yield_now().await
                }
            })
            .await?;
        }
        let refused = with_token(&at, &wrong).await.err();
        let is_shut = matches!(refused, Some(Error::Unreachable { .. }));
        assert_eq!(is_shut, is_barred, "{exempt}: {refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_tls_is_shut_out_and_the_door_stays_open() -> Result<()> {
    let (lab, at) = open().await?;
    let Address::Tls { port, .. } = &at else { panic!("{at}") };
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"lab 1 call\n"] {
        let mut stream = TcpStream::connect(("127.0.0.1", *port)).await?;
        stream.write_all(bytes).await?;
        let mut rest = Vec::new();
        soon(async { drop(stream.read_to_end(&mut rest).await) }).await?;
    }
    join(&at, &invite(&lab, "ada").await?).await?;
    Ok(())
}

#[tokio::test]
async fn one_user_has_so_many_connections_from_elsewhere_and_no_more() -> Result<()> {
    let (lab, _) = open().await?;
    let guests = Guests::new(Room { all: 10, one: 2 });
    let at = open_door_at(&lab, Doorstep::before(guests.clone(), Vec::new())).await?;
    let context = join(&at, &invite(&lab, "ada").await?).await?;
    soon(guests.count().wait_for(|count| *count == 0)).await??;
    let (first, second) = (with_login(&at, &context).await?, with_login(&at, &context).await?);
    let full = "you have 2 connections to this lab, the most for one user; close some";
    // More often than a stranger might be wrong: they are none.
    for _ in 0..20 {
        let refused = with_login(&at, &context).await.err();
        assert_eq!(refused.map(|why| why.to_string()).as_deref(), Some(full));
    }
    // Another is not kept out.
    let bob = join(&at, &invite(&lab, "bob").await?).await?;
    with_login(&at, &bob).await?.whoami().await?;
    second.whoami().await?;
    drop((first, second));
    soon(guests.count().wait_for(|count| *count == 0)).await??;
    with_login(&at, &context).await?.whoami().await?;
    Ok(())
}

/// A certificate of an authority that was never seen before, as a site has it, and who that is.
fn renew(folder: &Path) -> Result<Pin> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    let authority = params.self_signed(&key)?;
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new([tls::NAME.to_owned()])?.signed_by(&key, &issuer)?;
    for (name, text) in [
        ("certificate.pem", format!("{}{}", leaf.pem(), authority.pem())),
        ("key.pem", key.serialize_pem()),
    ] {
        // As those who renew certificates do it.
        std::fs::write(folder.join("new"), text)?;
        std::fs::rename(folder.join("new"), folder.join(name))?;
    }
    Ok(Pin::of(authority.der()))
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_word_to_the_lab() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let first = renew(folder.path())?;
    let file = |name: &str| folder.path().join(name).display().to_string();
    let text = format!(
        "tls {{ listen = \"127.0.0.1:1\"; name = localhost; certificate = \"{}\"; key = \"{}\" }}\n{}",
        file("certificate.pem"),
        file("key.pem"),
        boards(&["rpi4"])
    );
    let lab = Plan::new(&*text).by_hand().open().await?;
    let at = open_door(&lab).await?;
    let secret = lab.admin().await?.make_token(TokenAsk::default()).await?.secret;
    assert_eq!(shown_to(&at, &secret).await?, first);
    let second = renew(folder.path())?;
    let shown = async {
        while shown_to(&at, &secret).await? != second {}
        anyhow::Ok(())
    };
    soon(shown).await?
}

/// What is shown to somebody who then comes in: whoever only looks is barred after a while.
async fn shown_to(at: &Address, secret: &Secret) -> Result<Pin> {
    let (host, port, _) = at.elsewhere().context("it is elsewhere")?;
    let seen = Arc::new(OnceLock::new());
    let config = tls::client(&tls::Trust::Anybody(seen.clone()), None, tls::ALPN)?;
    let connector = TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect((host, port)).await?;
    let mut stream = BufReader::new(connector.connect(tls::NAME.try_into()?, stream).await?);
    for purpose in [Purpose::Prove(secret.clone()), Purpose::Call] {
        wire::ask(&mut stream, &purpose).await?;
        wire::answer(&mut stream).await?;
    }
    seen.get().copied().context("it shows itself")
}

/// The refusals on the timeline so far.
async fn refusals(lab: &TestLab) -> Result<Vec<Entry>> {
    let root = lab.admin().await?;
    root.note(name("rpi4"), "on disk".to_owned()).await?;
    let all =
        Follow::Journal { board: None, from: Some(1), since: None, tail: 0, stop_at_end: true };
    let all = root.follow(all).await?.rest().await?;
    let entries = all.lines().map(serde_json::from_str::<Entry>).collect::<Result<Vec<_>, _>>()?;
    let is_refusal = |entry: &Entry| matches!(entry.event, Event::Denied { .. });
    Ok(entries.into_iter().filter(is_refusal).collect())
}

/// Planted, and caught: whoever has a certificate and no role is never barred.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_known_and_has_no_role_is_written_down_until_they_are_barred() -> Result<()> {
    let (lab, at) = open().await?;
    let carol = join(&at, &invite(&lab, "carol").await?).await?;
    let withdraw = AccountAsk::Withdraw { role: Role::User };
    lab.admin().await?.change_account("carol".parse()?, withdraw).await?;
    assert_eq!(refusals(&lab).await?.len(), 0);
    let refused = with_login(&at, &carol).await.err();
    assert!(matches!(refused, Some(Error::NotAllowed { .. })), "{refused:?}");
    let entry = refusals(&lab).await?.pop().context("it is written down")?;
    assert_eq!(entry.who, Some("carol".parse()?));
    assert!(entry.via.is_some_and(|via| via.starts_with("tls 127.0.0.1 certificate ")));
    let barred = async {
        while !matches!(with_login(&at, &carol).await, Err(Error::Unreachable { .. })) {
            tokio::task::yield_now().await;
        }
    };
    soon(barred).await?;
    let so_far = refusals(&lab).await?.len();
    assert!((3..7).contains(&so_far), "{so_far} refusals");
    Ok(())
}

/// Planted, and caught: on one connection, somebody without a role is written down without an end.
#[tokio::test]
async fn whoever_has_no_role_asks_by_https_a_few_times_and_no_more() -> Result<()> {
    let (lab, _) = open().await?;
    let root = lab.admin().await?;
    let role = Role::User;
    root.change_account("carol".parse()?, AccountAsk::Add { role, span: None }).await?;
    let ask = TokenAsk { who: Some("carol".parse()?), ..TokenAsk::default() };
    let secret = root.make_token(ask).await?.secret;
    root.change_account("carol".parse()?, AccountAsk::Withdraw { role }).await?;
    let door = lab_tests::rest::Rest::new(lab.lab()).await?;
    let mut stream = door.connect()?;
    let ask = format!(
        "GET /api/v1/boards HTTP/1.1\r\nHost: lab\r\nAuthorization: Bearer {}\r\n\r\n",
        secret.as_str()
    );
    // It may have heard enough before all is said.
    let _ = stream.write_all(ask.repeat(20).as_bytes()).await;
    let mut said = Vec::new();
    let _ = soon(stream.read_to_end(&mut said)).await?;
    let said = String::from_utf8_lossy(&said);
    assert_eq!(said.matches("HTTP/1.1 403").count(), 3, "{said}");
    let refusals = refusals(&lab).await?;
    assert_eq!(refusals.len(), 3);
    assert!(
        refusals.iter().all(|entry| entry.who.as_ref().is_some_and(|it| it.as_str() == "carol"))
    );
    Ok(())
}

/// Planted, and caught: what is not good at TLS, or at HTTPS, is written down nowhere; the secret is.
#[tokio::test]
async fn whoever_is_not_let_in_is_written_down_without_their_secret() -> Result<()> {
    let (lab, at) = open().await?;
    let wrong = Secret::new([7; 32]);
    with_token(&at, &wrong).await.err().context("it is no token")?;
    let door = lab_tests::rest::Rest::new(lab.lab()).await?;
    assert_eq!(door.ask("GET", "/boards", Some(&wrong), None).await?.status, 401);
    let ada = join(&at, &invite(&lab, "ada").await?).await?;
    let root = lab.admin().await?;
    let login = root.logins().await?.pop().context("she has one")?;
    root.log_out(login.id.clone()).await?;
    with_login(&at, &ada).await.err().context("it was revoked")?;
    root.note(name("rpi4"), "on disk".to_owned()).await?;
    let all =
        Follow::Journal { board: None, from: Some(1), since: None, tail: 0, stop_at_end: true };
    let all = root.follow(all).await?.rest().await?;
    let denied: Vec<&str> =
        all.lines().filter(|line| line.contains(r#""kind":"denied""#)).collect();
    assert_eq!(denied.len(), 3, "{all}");
    for (line, via) in denied.iter().zip(["tls 127.0.0.1 token ", "https 127.0.0.1 token ", ""]) {
        assert!(line.contains(via) && !line.contains(wrong.as_str()), "{line}");
    }
    assert!(
        denied[2].contains(&format!("tls 127.0.0.1 certificate {}", login.id)),
        "{}",
        denied[2]
    );
    Ok(())
}
