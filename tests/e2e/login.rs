//! People without keys: who gets in by way of GitHub or OpenID Connect, and who does not, whatever a
//! provider says.
//!
//! Planted, and caught: a state, or the code of a terminal, is taken for any login's; the proof (PKCE) is not
//! sent; a provider is asked too soon, or no less often when it says so.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use lab_tests::follower::Follower;
use lab_tests::lab::{MONDAY, Plan, TestLab, boards};
use lab_tests::patience::soon;
use lab_tests::provider::{Lie, SECRET, TestProvider};
use labd::doorstep::Doorstep;
use labd::tls::Door;
use protocol::account::AccountAsk;
use protocol::address::Address;
use protocol::client::Client;
use protocol::context::Context;
use protocol::dial::{dial_known, dial_new};
use protocol::journal::Event;
use protocol::login;
use protocol::provider::{self, Begin, Begun, Offer, Progress, Standing};
use protocol::tls::Trust;
use protocol::user::Role;
use protocol::web::{self, Answer, Ask, StatusCode, Url};
use protocol::wire::{Follow, Purpose};
use protocol::{Error, Span};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

/// A lab with a door, and somebody who vouches for people to it, as `corp` and as `github`.
struct Scene {
    lab: TestLab,
    provider: TestProvider,
    at: Address,
}

/// What a browser shows.
#[derive(Debug)]
struct Page {
    status: StatusCode,
    text: String,
}

impl Scene {
    async fn open() -> Result<Scene> {
        Scene::that_admits("", "").await
    }

    /// The same, where a provider's word is enough for an account.
    async fn that_admits(corp: &str, github: &str) -> Result<Scene> {
        let provider = TestProvider::start().await?;
        provider.set_clock(MONDAY.0 / 1_000);
        let url = provider.url();
        let client = "client_id = \"the lab\"; client_secret_file = \"@dir/secret\"";
        let text = format!(
            "tls {{ listen = \"127.0.0.1:1\"; name = lab.example.org }}\n\
             login {{\n\
             oidc corp {{ issuer = \"{url}\"; {client}; {corp} }}\n\
             github {{ url = \"{url}\"; {client}; {github} }}\n\
             }}\n{}",
            boards(&["rpi4"])
        );
        let script = format!("{SECRET}\n");
        let lab = Plan::new(text).script("secret", &script).by_hand().open().await?;
        fs::set_permissions(lab.path("secret"), fs::Permissions::from_mode(0o600))?;
        let at = open_door(&lab).await?;
        Ok(Scene { lab, provider, at })
    }

    /// A door at which nobody has misbehaved yet.
    async fn another_door(&mut self) -> Result<()> {
        self.at = open_door(&self.lab).await?;
        Ok(())
    }

    /// Ada has an account, and is that one to the provider of that name.
    async fn knows_ada(&self, identity: &str) -> Result<()> {
        let root = self.lab.admin().await?;
        let add = AccountAsk::Add { role: Role::User, span: None };
        root.change_account("ada".parse()?, add).await?;
        let identify = AccountAsk::Identify { identity: identity.to_owned() };
        root.change_account("ada".parse()?, identify).await?;
        Ok(())
    }

    async fn begin(&self, provider: &str) -> Result<Begun, Error> {
        let begin = Begin { provider: provider.to_owned(), device: false };
        provider::begin(&self.at, &begin).await
    }

    async fn begin_elsewhere(&self, provider: &str) -> Result<Begun, Error> {
        let begin = Begin { provider: provider.to_owned(), device: true };
        provider::begin(&self.at, &begin).await
    }

    /// The browser goes to the provider. Where that sends it.
    async fn is_sent(&self, begun: &Begun) -> Result<String> {
        self.provider.browse(&begun.url).await
    }

    /// The browser goes to the lab.
    async fn visit(&self, place: &str) -> Result<Page> {
        let path = place.strip_prefix("https://lab.example.org:1").context("to this lab")?;
        self.ask(path, Ask::get()).await
    }

    /// The browser goes there, and back.
    async fn goes_there_and_back(&self, begun: &Begun) -> Result<Page> {
        self.visit(&self.is_sent(begun).await?).await
    }

    async fn type_code(&self, page: &Page, code: &str) -> Result<Page> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("ticket", page.ticket()?)
            .append_pair("code", code)
            .finish();
        self.ask("/login/confirm", Ask::post("application/x-www-form-urlencoded", body)).await
    }

    async fn ask(&self, path: &str, ask: Ask) -> Result<Page> {
        let Address::Tls { host, port, pin: Some(pin) } = &self.at else { panic!("{}", self.at) };
        let url: Url = format!("https://{host}:{port}{path}").parse()?;
        let Answer { status, body } = web::ask(&url, &Trust::Pinned(*pin), ask).await?;
        Ok(Page { status, text: String::from_utf8(body)? })
    }

    async fn progress(&self, begun: &Begun) -> Result<Standing, Error> {
        provider::progress(&self.at, &Progress { handle: begun.handle.clone() }).await
    }

    /// What becomes of a login whose page is there and whose code is typed.
    async fn enters(&self, begun: &Begun) -> Result<Context> {
        let Standing::Known { token } = self.progress(begun).await? else {
            anyhow::bail!("nobody is known")
        };
        let (flow, _) = dial_new(&self.at, Some(token), &Purpose::Call).await?;
        let lab = Client::over(flow, self.at.clone());
        Ok(login::join("lab".to_owned(), &lab).await?)
    }

    /// The whole way, by browser.
    async fn logs_in(&self, provider: &str) -> Result<Context> {
        let begun = self.begin(provider).await?;
        let page = self.goes_there_and_back(&begun).await?;
        ensure!(page.status == StatusCode::OK, "{page:?}");
        self.type_code(&page, &begun.code).await?;
        self.enters(&begun).await
    }

    async fn client(&self, context: &Context) -> Result<Client, Error> {
        let (flow, _) = dial_known(&self.at, Some(context.clone()), &Purpose::Call).await?;
        Ok(Client::over(flow, self.at.clone()))
    }

    async fn timeline(&self) -> Result<Follower> {
        let what = Follow::Journal {
            board: None,
            from: Some(1),
            since: None,
            tail: 0,
            stop_at_end: false,
        };
        Ok(self.lab.admin().await?.follow(what).await?)
    }

    /// Whether anything was given to anybody.
    async fn has_let_in(&self) -> Result<bool> {
        let root = self.lab.admin().await?;
        Ok(!root.logins().await?.is_empty() || !root.tokens().await?.is_empty())
    }
}

impl Page {
    fn ticket(&self) -> Result<&str> {
        let rest = self.text.split("name=\"ticket\" value=\"").nth(1).context("no ticket")?;
        rest.split('"').next().context("no end of it")
    }
}

async fn open_door(lab: &TestLab) -> Result<Address> {
    let config = lab.lab().config();
    let settings = config.tls.as_ref().context("it has a door")?;
    let door = Door::new(lab.lab().clone(), settings, Doorstep::new())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(Arc::clone(&door).serve(listener));
    let pin = lab.lab().open_authority()?.pin();
    Ok(Address::Tls { host: "127.0.0.1".to_owned(), port, pin: Some(pin) })
}

#[tokio::test]
async fn whoever_is_vouched_for_and_has_an_account_logs_in() -> Result<()> {
    let scene = Scene::open().await?;
    let offers = provider::offers(&scene.at).await?;
    let names: Vec<_> = offers.into_iter().map(|Offer { name }| name).collect();
    assert_eq!(names, ["github", "corp"]);
    scene.knows_ada("corp:583231").await?;
    let begun = scene.begin("corp").await?;
    let back = scene.is_sent(&begun).await?;
    let page = scene.visit(&back).await?;
    assert!(page.text.contains("corp says that you are ada"), "{page:?}");
    // The page alone opens nothing: whoever follows a link does not let somebody else in.
    assert!(matches!(scene.progress(&begun).await?, Standing::Waiting { .. }));
    let wrong = scene.type_code(&page, "BBBB-BBBB").await?;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    assert!(matches!(scene.progress(&begun).await?, Standing::Waiting { .. }));
    let another = scene.begin("corp").await?;
    let others = scene.type_code(&page, &another.code).await?;
    assert_eq!(others.status, StatusCode::FORBIDDEN, "the code of another login");
    let typed = begun.code.to_lowercase().replace('-', " ");
    assert_eq!(scene.type_code(&page, &typed).await?.status, StatusCode::OK);
    let context = scene.enters(&begun).await?;
    let ada = scene.client(&context).await?;
    let who = ada.whoami().await?;
    assert_eq!((who.name.as_str(), who.role), ("ada", Role::User));
    // What it came to is told once, and the way back is gone once.
    let again = scene.progress(&begun).await;
    assert!(matches!(again, Err(Error::NotKnown { .. })), "{again:?}");
    assert_eq!(scene.visit(&back).await?.status, StatusCode::FORBIDDEN);
    Ok(())
}

#[tokio::test]
async fn at_github_somebody_is_their_number_and_not_their_name() -> Result<()> {
    let scene = Scene::open().await?;
    scene.knows_ada("github:583231").await?;
    scene.logs_in("github").await?;
    // She takes another name, and somebody takes hers.
    scene.provider.knows("583231", "countess");
    let context = scene.logs_in("github").await?;
    assert_eq!(scene.client(&context).await?.whoami().await?.name.as_str(), "ada");
    scene.provider.knows("99", "ada");
    let begun = scene.begin("github").await?;
    let page = scene.goes_there_and_back(&begun).await?;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    let Standing::Refused { why } = scene.progress(&begun).await? else { panic!("let in") };
    assert!(why.ends_with("labctl user identity NAME github:99"), "{why}");
    assert!(page.text.contains("labctl user identity NAME github:99"), "{page:?}");
    let denied = |event: &Event| matches!(event, Event::Denied { why: said, .. } if *said == why);
    let entry = scene.timeline().await?.event(denied).await?;
    assert_eq!(entry.via.as_deref(), Some("https 127.0.0.1 login with github"));
    // What the sentence says is what helps.
    let identify = AccountAsk::Identify { identity: "github:99".to_owned() };
    let root = scene.lab.admin().await?;
    let twice = AccountAsk::Identify { identity: "github:583231".to_owned() };
    let add = AccountAsk::Add { role: Role::Viewer, span: None };
    root.change_account("bob".parse()?, add).await?;
    assert!(matches!(root.change_account("bob".parse()?, twice).await, Err(Error::Bad { .. })));
    root.change_account("bob".parse()?, identify).await?;
    let context = scene.logs_in("github").await?;
    assert_eq!(scene.client(&context).await?.whoami().await?.name.as_str(), "bob");
    Ok(())
}

#[tokio::test]
async fn the_same_subject_of_two_providers_is_two_people() -> Result<()> {
    let scene = Scene::open().await?;
    scene.knows_ada("https://id.example.org#583231").await?;
    let page = scene.goes_there_and_back(&scene.begin("corp").await?).await?;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(!scene.has_let_in().await?);
    Ok(())
}

/// What is told of a provider whose answers are none.
const SILENT: &str = "corp does not answer";

#[tokio::test]
async fn a_provider_that_lies_lets_nobody_in() -> Result<()> {
    let mut scene = Scene::open().await?;
    scene.knows_ada("corp:583231").await?;
    let mut timeline = scene.timeline().await?;
    for (lie, why) in [
        (Lie::State, "nobody here is logging in with this"),
        (Lie::Back, "the answer is by 'https://id.example.org'"),
        (Lie::Silent, "the answer does not say by whom it is"),
        (Lie::Name, "it calls itself 'https://id.example.org'"),
        (Lie::Place, "it is asked at 'http://192.0.2.1/token'"),
        (Lie::Nonce, "is another login's"),
        (Lie::NoNonce, "is another login's"),
        (Lie::Audience, "is for somebody else"),
        (Lie::Party, "was given to somebody else"),
        (Lie::Issuer, "is another issuer's"),
        (Lie::Over, "its ID token is over"),
        (Lie::NotYet, "is not good yet"),
        (Lie::Unsigned, "none that is signed"),
        (Lie::PublicSecret, "a key that is not one of its own"),
        (Lie::ForeignKey, "not signed as it should be"),
        (Lie::UnknownKey, "a key that is not one of its own"),
        (Lie::Changed, "not signed as it should be"),
        (Lie::NoToken, "there is no ID token"),
        (Lie::Subject, "what it says of them another's"),
        (Lie::Elsewhere, "sends the lab elsewhere"),
        (Lie::KeysElsewhere, "sends the lab elsewhere"),
        (Lie::Huge, SILENT),
        (Lie::Slow, SILENT),
        (Lie::Nonsense, SILENT),
    ] {
        // Three like that from one source, and nobody listens to it.
        scene.another_door().await?;
        // Too many begin otherwise.
        scene.lab.advance(Span::minutes(10));
        scene.provider.set_clock(scene.lab.now().0 / 1_000);
        scene.provider.lie(lie);
        match scene.begin("corp").await {
            Ok(begun) => {
                let page = scene.goes_there_and_back(&begun).await?;
                assert_eq!(page.status, StatusCode::FORBIDDEN, "{lie:?}: {page:?}");
                let standing = scene.progress(&begun).await?;
                assert!(!matches!(standing, Standing::Known { .. }), "{lie:?}: {standing:?}");
            }
            // Nobody has tried anything; labd's log says more than they are told.
            Err(Error::Device { why: told, .. }) if why == SILENT => {
                assert!(told.contains(SILENT), "{lie:?}: {told}");
                assert!(!scene.has_let_in().await?, "{lie:?}");
                continue;
            }
            Err(_) => {}
        }
        let entry = timeline.event(|event| matches!(event, Event::Denied { .. })).await?;
        let Event::Denied { why: said, .. } = entry.event else { panic!("{entry:?}") };
        assert!(said.contains(why), "{lie:?}: {said}");
        assert!(!scene.has_let_in().await?, "{lie:?}");
    }
    scene.another_door().await?;
    scene.provider.lie(Lie::None);
    scene.logs_in("corp").await?;
    Ok(())
}

#[tokio::test]
async fn what_was_given_to_one_login_is_good_for_no_other() -> Result<()> {
    let scene = Scene::open().await?;
    scene.knows_ada("corp:583231").await?;
    let [one, other] = [scene.begin("corp").await?, scene.begin("corp").await?];
    let [first, second] = [scene.is_sent(&one).await?, scene.is_sent(&other).await?];
    let code = |place: &str| -> Result<String> {
        let query = place.split_once('?').context("a query")?.1;
        let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "code");
        Ok(found.context("a code")?.1.replace(' ', "+"))
    };
    // Somebody puts a code of their own into another's way back.
    let swapped = first.replace(&code(&first)?, &code(&second)?);
    assert_ne!(swapped, first);
    let page = scene.visit(&swapped).await?;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("invalid_grant"), "{page:?}");
    // The code is spent, and its own login does not get it either.
    let page = scene.visit(&second).await?;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    for begun in [&one, &other] {
        assert!(matches!(scene.progress(begun).await?, Standing::Refused { .. }));
    }
    assert!(!scene.has_let_in().await?);
    Ok(())
}

#[tokio::test]
async fn somebody_without_a_browser_types_a_code_into_another_machines() -> Result<()> {
    let scene = Scene::open().await?;
    scene.knows_ada("github:583231").await?;
    scene
        .lab
        .admin()
        .await?
        .change_account("ada".parse()?, AccountAsk::Identify { identity: "corp:583231".to_owned() })
        .await?;
    for name in ["github", "corp"] {
        let begun = scene.begin_elsewhere(name).await?;
        assert_eq!(begun.url, format!("{}/device", scene.provider.url()));
        assert!(matches!(scene.progress(&begun).await?, Standing::Waiting { .. }));
        scene.lab.advance(begun.interval);
        assert!(matches!(scene.progress(&begun).await?, Standing::Waiting { .. }));
        // It would be asked less often, and is.
        scene.provider.is_hurried();
        scene.lab.advance(begun.interval);
        let Standing::Waiting { interval } = scene.progress(&begun).await? else { panic!() };
        assert_eq!(interval, Span(begun.interval.0 + 5_000));
        assert!(scene.provider.type_code(&begun.code, Ok(())));
        scene.lab.advance(begun.interval);
        assert!(matches!(scene.progress(&begun).await?, Standing::Waiting { .. }), "too early");
        scene.lab.advance(Span::seconds(5));
        scene.provider.set_clock(scene.lab.now().0 / 1_000);
        let context = scene.enters(&begun).await?;
        assert_eq!(scene.client(&context).await?.whoami().await?.name.as_str(), "ada");
    }
    let begun = scene.begin_elsewhere("github").await?;
    assert!(scene.provider.type_code(&begun.code, Err("access_denied")));
    scene.lab.advance(begun.interval);
    let Standing::Refused { why } = scene.progress(&begun).await? else { panic!("let in") };
    assert!(why.contains("access_denied"), "{why}");
    // The same, of somebody who has no account.
    scene.provider.knows("7", "eve");
    let begun = scene.begin_elsewhere("github").await?;
    assert!(scene.provider.type_code(&begun.code, Ok(())));
    scene.lab.advance(begun.interval);
    let Standing::Refused { why } = scene.progress(&begun).await? else { panic!("let in") };
    assert!(why.contains("github:7"), "{why}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_no_longer_who_they_were_is_out() -> Result<()> {
    let scene = Scene::open().await?;
    scene.knows_ada("corp:583231").await?;
    let first = scene.logs_in("corp").await?;
    // What a login is renewed to has come of the same.
    let renewed = login::join("lab".to_owned(), &scene.client(&first).await?).await?;
    let follow = Purpose::Follow(Follow::Boards);
    let (mut flow, _) = dial_known(&scene.at, Some(renewed.clone()), &follow).await?;
    // One that is not yet exchanged, too.
    let begun = scene.begin("corp").await?;
    let page = scene.goes_there_and_back(&begun).await?;
    scene.type_code(&page, &begun.code).await?;
    let root = scene.lab.admin().await?;
    let disown = AccountAsk::Disown { identity: "corp:583231".to_owned() };
    root.change_account("ada".parse()?, disown).await?;
    let mut rest = Vec::new();
    soon(async { drop(flow.read_to_end(&mut rest).await) }).await?;
    for context in [&first, &renewed] {
        let refused = scene.client(context).await.err();
        assert!(matches!(refused, Some(Error::NotKnown { .. })), "{refused:?}");
    }
    assert!(matches!(scene.progress(&begun).await?, Standing::Refused { .. }));
    assert!(!scene.has_let_in().await?);
    Ok(())
}

#[tokio::test]
async fn a_login_that_is_begun_is_forgotten_after_ten_minutes_and_there_are_few() -> Result<()> {
    let scene = Scene::open().await?;
    scene.knows_ada("corp:583231").await?;
    let begun = scene.begin("corp").await?;
    let back = scene.is_sent(&begun).await?;
    for _ in 1..8 {
        scene.begin("corp").await?;
    }
    let refused = scene.begin("corp").await;
    assert!(matches!(refused, Err(Error::Busy { .. })), "{refused:?}");
    scene.lab.advance(Span::minutes(10));
    assert_eq!(scene.visit(&back).await?.status, StatusCode::FORBIDDEN);
    let over = scene.progress(&begun).await;
    assert!(matches!(over, Err(Error::NotKnown { .. })), "{over:?}");
    let refused = scene.begin("crop").await;
    assert!(matches!(refused, Err(Error::NoSuch { near: Some(_), .. })), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn whoever_guesses_handles_is_not_listened_to_after_a_while() -> Result<()> {
    let scene = Scene::open().await?;
    let guess = Progress { handle: "A".repeat(43) };
    let mut heard = 0;
    while let Err(Error::NotKnown { .. }) = provider::progress(&scene.at, &guess).await {
        heard += 1;
        ensure!(heard < 100, "it listens for ever");
    }
    assert!(heard >= 3, "{heard}");
    Ok(())
}

#[tokio::test]
async fn a_page_says_what_people_are_called_and_runs_nothing_of_it() -> Result<()> {
    let scene = Scene::open().await?;
    scene.knows_ada("corp:583231").await?;
    scene.provider.knows("583231", "<script src='//x'>");
    let page = scene.goes_there_and_back(&scene.begin("corp").await?).await?;
    assert!(page.text.contains("&lt;script src=&#39;//x&#39;&gt;"), "{page:?}");
    assert!(!page.text.contains("<script"), "{page:?}");
    Ok(())
}

#[tokio::test]
async fn whoever_belongs_to_what_is_named_gets_an_account_of_their_own() -> Result<()> {
    let mut scene = Scene::that_admits(
        "admit { role = viewer; groups = lab; domain = example.org }",
        "admit { organisation = [other, acme] }",
    )
    .await?;
    for (provider, subject, called, besides) in [
        ("corp", "1", "zoe", json!({ "groups": ["lab"] })),
        ("corp", "2", "mo@example.org", json!({ "hd": "example.org" })),
        ("github", "3", "cora", json!({ "acme": "active" })),
    ] {
        scene.provider.knows(subject, called);
        scene.provider.says_besides(besides);
        for _ in 0..2 {
            let context = scene.logs_in(provider).await?;
            let who = scene.client(&context).await?.whoami().await?;
            let role = if provider == "corp" { Role::Viewer } else { Role::User };
            assert_eq!((who.name.as_str(), who.role), (called, role));
        }
        let accounts = scene.lab.admin().await?.accounts().await?;
        let account = accounts.iter().find(|it| it.name.as_str() == called).context("made")?;
        assert_eq!(account.identities.len(), 1);
    }
    let made = |event: &Event| matches!(event, Event::Account { what, .. } if what.starts_with("added with role user"));
    let entry = scene.timeline().await?.event(made).await?;
    assert_eq!(entry.via.as_deref(), Some("https 127.0.0.1 github:3"));
    // Somebody held a board, and is gone.
    let gone = scene.lab.user("gone").await?;
    gone.reserve(lab_tests::lab::board("rpi4")).await?;
    // Whose word it is does not matter: an account is its owner's, the system's names are the system's.
    let fits = json!({ "groups": ["lab"], "acme": "active" });
    for (provider, called, besides, why) in [
        ("corp", "zoe", &fits, "cannot be called that here"),
        ("corp", "root", &fits, "cannot be called that here"),
        ("corp", "bob", &fits, "cannot be called that here"),
        ("corp", "uid1000", &fits, "cannot be called that here"),
        ("corp", "gone", &fits, "cannot be called that here"),
        ("corp", "a b", &fits, "cannot be called that here"),
        ("github", "zoe", &fits, "cannot be called that here"),
        ("corp", "new", &json!({ "groups": ["laboratory"] }), "has no account of 'new'"),
        ("github", "new", &json!({ "acme": "pending" }), "has no account of 'new'"),
        ("github", "new", &json!({ "groups": ["lab"] }), "has no account of 'new'"),
    ] {
        scene.another_door().await?;
        scene.lab.advance(Span::minutes(10));
        scene.provider.set_clock(scene.lab.now().0 / 1_000);
        scene.provider.knows("99", called);
        scene.provider.says_besides(besides.clone());
        let begun = scene.begin(provider).await?;
        let page = scene.goes_there_and_back(&begun).await?;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{called}");
        let Standing::Refused { why: said } = scene.progress(&begun).await? else { panic!() };
        assert!(said.contains(why) && said.ends_with(&format!("{provider}:99")), "{said}");
    }
    assert_eq!(scene.lab.admin().await?.accounts().await?.len(), 3);
    Ok(())
}
