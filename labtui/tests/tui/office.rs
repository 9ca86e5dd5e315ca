//! What administrators look at: users, tokens, and who did what.

use insta::assert_snapshot;
use labtui::call::{Answer, Call};
use labtui::feed::{FeedId, News};
use labtui::keys::Context;
use labtui::model::Page;
use labtui::update::Effect;
use protocol::account::{Account, Grant, Token};
use protocol::journal::{Entry, Event};
use protocol::user::{Role, Scope, Verb};
use protocol::{Error, Span};

use crate::sample::{NOW, Stage, entries, entry, name, user};

fn account(text: &str, roles: Vec<Grant>) -> Account {
    let groups = if text == "ada" { vec!["kernel".to_owned()] } else { Vec::new() };
    Account { name: user(text), roles, groups, identities: Vec::new(), since: NOW }
}

fn accounts() -> Vec<Account> {
    let grant = |role, until| Grant { role, until };
    let hour = NOW + Span::hours(1);
    vec![
        account("ada", vec![grant(Role::User, None), grant(Role::Admin, Some(hour))]),
        account("bob", vec![grant(Role::User, Some(NOW - Span::hours(1)))]),
        account("eve", Vec::new()),
    ]
}

fn token(id: &str, scope: Scope) -> Token {
    Token {
        id: id.to_owned(),
        who: user("ada"),
        note: Some("nightly \u{1b}[2J".to_owned()),
        scope,
        since: NOW,
        until: NOW + Span::hours(8),
        once: id == "t2",
        joins: false,
        used: None,
        identity: None,
        exchanged: None,
    }
}

fn tokens() -> Vec<Token> {
    let (boards, classes) = (vec![name("rpi4-1")], vec!["zcu102".to_owned()]);
    let scope = Scope { boards, classes, verbs: vec![Verb::Power] };
    vec![token("t1", Scope::default()), token("t2", scope)]
}

/// What somebody did from elsewhere, and what they were not allowed.
fn journal() -> Vec<Entry> {
    let denied = Event::Denied { verb: Verb::Power, why: "carol.jones holds it".to_owned() };
    let via = Some("10.0.0.7 ssh".to_owned());
    let mut all = entries("rpi4-1");
    all.push(Entry { via, ..entry(20, "x86-1", Some("bob"), Span::seconds(9), denied) });
    all
}

fn users() -> Stage {
    let mut stage = Stage::live(80, 24);
    stage.done();
    stage.keys(":users\n");
    assert!(stage.done().contains(&Effect::Call(Call::Accounts)));
    stage.answer(Call::Accounts, Ok(Answer::Accounts(accounts())));
    stage
}

fn audit(words: &str) -> Stage {
    let mut stage = Stage::live(80, 24);
    stage.keys(&format!(":audit{words}\n"));
    let feed = stage.model.audit.as_ref().unwrap().feed;
    assert!(stage.done().contains(&Effect::Audit(Some(feed))));
    stage.news(FeedId::Timeline(feed), News::Entries(journal()));
    stage
}

#[test]
fn pictures() {
    let mut keys = Stage::live(80, 24);
    keys.keys(":tokens\n");
    let before = keys.screen();
    keys.answer(Call::Tokens, Ok(Answer::Tokens(tokens())));
    let all =
        [users().screen(), before, keys.screen(), audit("").screen(), audit(" denied").screen()];
    let plain = |screen: &String| {
        let lines = screen.lines().map(|line| line.trim_matches('"').trim_end());
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(all.iter().map(plain).collect::<Vec<_>>().join("\n--\n"));
}

#[test]
fn a_list_scrolls_and_is_left_like_every_page() {
    let mut stage = users();
    stage.keys("j");
    assert_eq!(
        (stage.model.page, stage.model.context()),
        (Some(Page::Users(1)), Context::Messages)
    );
    assert!(!stage.screen().contains("kernel"));
    stage.keys("q");
    assert_eq!(stage.model.page, None);
}

#[test]
fn who_may_not_look_is_told() {
    let mut stage = Stage::live(80, 24);
    stage.keys(":tokens\n");
    stage.answer(Call::Tokens, Err(Error::Unknown));
    assert!(
        stage.last_notice().starts_with("Could not read the tokens"),
        "{}",
        stage.last_notice()
    );
    assert!(stage.screen().contains("The lab has not answered yet."));
}

#[test]
fn the_journal_is_looked_through_and_followed_only_meanwhile() {
    let mut stage = audit(" user=bob");
    let screen = stage.screen();
    assert!(screen.contains("Audit user=bob · 2 "), "{screen}");
    let feed = FeedId::Timeline(stage.model.audit.as_ref().unwrap().feed);
    let many = (40..90).map(|seq| entry(seq, "rpi4-1", Some("bob"), Span(seq), Event::Break));
    stage.news(feed, News::Entries(many.collect()));
    stage.keys("k");
    let seen = stage.screen();
    let more = entry(90, "rpi4-1", Some("bob"), Span(0), Event::Break);
    let others = entry(91, "rpi4-1", Some("ada"), Span(0), Event::Break);
    stage.news(feed, News::Entries(vec![more, others]));
    assert_eq!(stage.model.audit.as_ref().unwrap().entries.len(), 53);
    let unmoved =
        |screen: &str| screen.lines().skip(2).take(20).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(unmoved(&stage.screen()), unmoved(&seen), "what is looked at stays where it is");
    stage.keys("q");
    assert!(stage.model.audit.is_none());
    assert!(stage.done().contains(&Effect::Audit(None)));
    stage.keys(":audit users=bob\n");
    assert!(stage.last_notice().contains("write user=, board=, via= or denied"));
}
