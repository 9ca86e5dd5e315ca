//! What the [tables](super) ask: each call and follow as ada, in a lab in which she has something of each
//! kind, and others as well.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use lab_tests::lab::{Plan, TestLab, board, name, queued, waits};
use lab_tests::person::Person;
use lab_tests::rest::Rest;
use protocol::account::{AccountAsk, MayAsk, TokenAsk};
use protocol::board::{BoardName, Filter};
use protocol::client::Call;
use protocol::console::{From, PenAsk, Signal};
use protocol::hold::Release;
use protocol::journal::{Entry, Event};
use protocol::login;
use protocol::power::PowerAsk;
use protocol::search::Search;
use protocol::send::{File, Way};
use protocol::user::{Role, Scope, UserName, Verb};
use protocol::wire::Follow;
use protocol::{Error, Span, Time};
use tokio::net::TcpListener;

use super::Door;
use super::ssh::Ssh;

/// What is asked: a call, another way to call, a follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Row {
    Call(Call),
    Breaking,
    Asking,
    Keeping,
    Dropping,
    Invited,
    Console,
    WithPen,
    Desk,
    Journal,
    OfBoard,
    Replay,
    Boards,
    Keep,
    Send,
    Tunnel,
    Export,
    Search,
    SearchBoard,
}

impl Row {
    pub(super) fn word(self) -> &'static str {
        match self {
            Row::Call(call) => call.name(),
            Row::Breaking => "  breaking",
            Row::Asking => "  asking",
            Row::Keeping => "  keeping",
            Row::Dropping => "  dropping",
            Row::Invited => "  invited",
            Row::Console => "console",
            Row::WithPen => "  with the pen",
            Row::Desk => "desk",
            Row::Journal => "journal",
            Row::OfBoard => "  of a board",
            Row::Replay => "replay",
            Row::Boards => "boards",
            Row::Keep => "keep",
            Row::Send => "send",
            Row::Tunnel => "tunnel",
            Row::Export => "export",
            Row::Search => "search",
            Row::SearchBoard => "  of a board",
        }
    }
}

/// Each kind of follow with its rows; a kind without does not compile.
macro_rules! follows {
    ($($kind:pat => $rows:expr;)*) => {
        pub(super) fn follows() -> Vec<Row> {
            let _each_has_rows = |follow: Follow| match follow { $($kind => {})* };
            [$($rows.as_slice()),*].concat()
        }
    };
}

follows! {
    Follow::Console { .. } => [Row::Console, Row::WithPen];
    Follow::Desk { .. } => [Row::Desk];
    Follow::Journal { .. } => [Row::Journal, Row::OfBoard];
    Follow::Replay { .. } => [Row::Replay];
    Follow::Boards => [Row::Boards];
    Follow::Keep { .. } => [Row::Keep];
    Follow::Send { .. } => [Row::Send];
    Follow::Tunnel { .. } => [Row::Tunnel];
    Follow::Export => [Row::Export];
    Follow::Search(_) => [Row::Search, Row::SearchBoard];
}

pub(super) fn calls() -> Vec<Row> {
    let rows = |call: &Call| match call {
        Call::Release => vec![Row::Call(*call), Row::Breaking],
        Call::Pen => vec![Row::Call(*call), Row::Asking, Row::Keeping, Row::Dropping],
        Call::Enrol => vec![Row::Call(*call), Row::Invited],
        call => vec![Row::Call(*call)],
    };
    Call::ALL.iter().flat_map(rows).collect()
}

/// With what it is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Whose {
    Mine,
    Theirs,
    Nobodys,
    /// A board of others' group; somebody else's session.
    Hidden,
}

impl Whose {
    fn board(self) -> &'static str {
        match self {
            Whose::Mine => "mine",
            Whose::Theirs => "theirs",
            Whose::Nobodys => "nobodys",
            Whose::Hidden => "hidden",
        }
    }
}

pub(super) const ANY: &[Whose] = &[Whose::Mine];
pub(super) const THINGS: &[Whose] = &[Whose::Mine, Whose::Theirs, Whose::Nobodys];
pub(super) const BOARDS: &[Whose] = &[Whose::Mine, Whose::Theirs, Whose::Nobodys, Whose::Hidden];

impl Row {
    /// Between what it makes a difference.
    pub(super) fn columns(self, door: Door) -> &'static [Whose] {
        match self {
            // There everybody's tokens are their own.
            Row::Call(Call::MakeToken) if door == Door::Ssh => ANY,
            Row::Breaking
            | Row::Asking
            | Row::Keeping
            | Row::Dropping
            | Row::Console
            | Row::WithPen
            | Row::Desk
            | Row::OfBoard
            | Row::SearchBoard
            | Row::Replay
            | Row::Send
            | Row::Tunnel => BOARDS,
            Row::Keep => THINGS,
            Row::Invited | Row::Journal | Row::Boards | Row::Export | Row::Search => ANY,
            Row::Call(call) => match call {
                Call::Board
                | Call::Reserve
                | Call::Release
                | Call::Extend
                | Call::Give
                | Call::Power
                | Call::Outlet
                | Call::Boots
                | Call::Pen
                | Call::TypeIn
                | Call::SendBreak
                | Call::Signal
                | Call::Note => BOARDS,
                Call::Placed
                | Call::Unqueue
                | Call::May
                | Call::ChangeAccount
                | Call::MakeToken
                | Call::RevokeToken
                | Call::AddKey
                | Call::RemoveKey
                | Call::LogOut => THINGS,
                Call::Whoami
                | Call::Boards
                | Call::Classes
                | Call::Holds
                | Call::Queue
                | Call::Triggers
                | Call::Accounts
                | Call::Tokens
                | Call::Keys
                | Call::Enrol
                | Call::Logins
                | Call::FoundAt
                | Call::Reload
                | Call::Doctor
                | Call::Verify
                | Call::Rebuild
                | Call::Import => ANY,
            },
        }
    }
}

/// At `{port}` is the sshd of one board.
pub(super) const LAB: &str = "
tls { listen = \"127.0.0.1:1\"; name = localhost }
access { admin = root; user = [bob, eve] }
power { dwell = 0s }
classes { sim { } }
boards [
    { name = mine; class = sim; ip = \"127.0.0.1\"; ssh_port = {port}; options = [ { cls = sim; seed = 1 } ] },
    { name = theirs; class = sim; options = [ { cls = sim; seed = 2 } ] },
    { name = nobodys; class = sim; options = [ { cls = sim; seed = 3 } ] },
    { name = hidden; class = sim; groups = kernel; options = [ { cls = sim; seed = 4 } ] },
]
";

/// A lab in which ada has a board, a place, an account, a token, a key and a login, and bob as well.
pub(super) struct Scene {
    lab: TestLab,
    /// What ada's token is for, if she comes with one that is not for everything.
    pub(super) scope: Scope,
    /// By which ada comes, if she comes by REST.
    rest: Option<Arc<Rest>>,
    /// The same, by ssh.
    ssh: Option<Ssh>,
    root: Person,
    bob: Person,
}

pub(super) fn key(letter: &str, who: &str) -> String {
    format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} {who}", letter.repeat(43))
}

impl Scene {
    pub(super) async fn new(door: Door) -> Result<Scene> {
        let sshd = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let text = LAB.replace("{port}", &sshd.local_addr()?.port().to_string());
        let lab = Plan::new(&*text).by_hand().open().await?;
        // Her board's sshd, which hangs up.
        tokio::spawn(async move { while sshd.accept().await.is_ok() {} });
        let (mut rest, mut ssh) = (None, None);
        match door {
            Door::Calls => {}
            Door::Rest => rest = Some(Rest::new(lab.lab()).await?),
            Door::Ssh => ssh = Some(Ssh::open(&lab).await?),
        }
        lab.lab().open_authority()?;
        let (root, bob) = (lab.admin().await?, lab.user("bob").await?);
        for who in ["ada", "bob", "eve"] {
            // The least role: it adds nothing to the one with which they come.
            let ask = AccountAsk::Add { role: Role::Viewer, span: None };
            root.change_account(who.parse()?, ask).await?;
        }
        // What is hidden can be given to her.
        let join = AccountAsk::Join { group: "kernel".to_owned() };
        root.change_account("eve".parse()?, join).await?;
        Ok(Scene { lab, scope: Scope::default(), rest, ssh, root, bob })
    }

    /// Puts back what the question before has changed. What was refused a minute ago is refused anew.
    pub(super) async fn restore(&self, row: Row) -> Result<()> {
        self.lab.advance(Span::minutes(1));
        let wanted: &[(&str, &str)] = match row {
            // It is for a lab that is not in use.
            Row::Call(Call::Import) => &[],
            _ => &[("mine", "ada"), ("theirs", "bob")],
        };
        let held = self.root.holds().await?;
        let is_wanted =
            |board: &BoardName, who: &UserName| wanted.contains(&(board.as_str(), who.as_str()));
        if held.len() == wanted.len() && held.iter().all(|hold| is_wanted(&hold.board, &hold.who)) {
            return Ok(());
        }
        for hold in held {
            let release = Release { number: None, breaking: Some("again".to_owned()) };
            self.root.release(hold.board, release).await?;
        }
        if !wanted.is_empty() {
            self.lab.user("ada").await?.reserve(board("mine")).await?;
            self.bob.reserve(board("theirs")).await?;
        }
        Ok(())
    }

    /// Ada, with that role.
    pub(super) async fn me(&self, role: Role) -> Result<Person> {
        if self.rest.is_none() && self.scope.is_open() {
            return Person::new(self.lab.lab(), "ada", role).await;
        }
        self.with_token(role, TokenAsk { scope: self.scope.clone(), ..TokenAsk::default() }).await
    }

    /// Ada, with that role and such a token.
    pub(super) async fn with_token(&self, role: Role, ask: TokenAsk) -> Result<Person> {
        let grant = AccountAsk::Grant { role, span: None };
        self.root.change_account("ada".parse()?, grant).await?;
        let ask = TokenAsk { who: Some("ada".parse()?), ..ask };
        let secret = self.root.make_token(ask).await?.secret;
        match &self.rest {
            Some(door) => Ok(Person::by_rest(door, secret)),
            None => self.lab.with_token(&secret).await,
        }
    }

    /// A login of somebody's, who has no other.
    pub(super) async fn login_of(&self, who: UserName) -> Result<String> {
        let invitation = TokenAsk { who: Some(who.clone()), joins: true, ..TokenAsk::default() };
        let secret = self.root.make_token(invitation).await?.secret;
        login::join("lab".to_owned(), &*self.lab.with_token(&secret).await?).await?;
        let logins = self.root.logins().await?;
        let login = logins.into_iter().find(|login| login.who == who);
        Ok(login.context("they are logged in")?.id)
    }

    /// The sign of what the lab answers somebody of that role.
    pub(super) async fn sign(&self, row: Row, role: Role, whose: Whose) -> Result<char> {
        let told = || format!("{row:?} {role} {whose:?}");
        let Some(ssh) = &self.ssh else {
            let answer = self.ask(row, role, whose).await?;
            self.check_record(row, whose, &answer).await?;
            return super::sign(answer).with_context(told);
        };
        let grant = AccountAsk::Grant { role, span: None };
        self.root.change_account("ada".parse()?, grant).await?;
        ssh.sign(row, whose.board()).await.with_context(told)
    }

    /// What the lab answers somebody of that role.
    pub(super) async fn ask(
        &self,
        row: Row,
        role: Role,
        whose: Whose,
    ) -> Result<Result<(), Error>> {
        let me = self.me(role).await?;
        let here = whose.board();
        let other = match whose {
            Whose::Mine | Whose::Hidden => None,
            Whose::Theirs => Some("bob".parse()?),
            Whose::Nobodys => Some("nobody-knows-me".parse()?),
        };
        let account = other.clone().unwrap_or("ada".parse()?);
        let call = match row {
            Row::Call(call) => call,
            Row::Asking | Row::Keeping | Row::Dropping => Call::Pen,
            Row::Breaking => {
                let release = Release { number: None, breaking: Some("because".to_owned()) };
                return Ok(me.release(name(here), release).await.map(drop));
            }
            Row::Invited => {
                let invitation = TokenAsk { joins: true, ..TokenAsk::default() };
                let me = self.with_token(role, invitation).await?;
                return Ok(login::join("lab".to_owned(), &me).await.map(drop));
            }
            Row::Console => return Ok(me.look_at(here, From::End).await.map(drop)),
            Row::WithPen => return Ok(me.type_at(here).await.map(drop)),
            Row::Desk => {
                return Ok(me.follow(Follow::Desk { board: name(here) }).await.map(drop));
            }
            Row::OfBoard => return Ok(me.journal(here).await.map(drop)),
            Row::Journal => {
                let all = Follow::Journal {
                    board: None,
                    from: Some(1),
                    since: None,
                    tail: 0,
                    stop_at_end: true,
                };
                return Ok(me.follow(all).await.map(drop));
            }
            Row::Replay => {
                let (board, from, until) = (name(here), From::Start, None);
                let replay = Follow::Replay { board, from, until, stop_at_end: true };
                return Ok(me.follow(replay).await.map(drop));
            }
            Row::Boards => return Ok(me.follow(Follow::Boards).await.map(drop)),
            Row::Keep => {
                let holds = self.root.holds().await?;
                let held = holds.iter().find(|hold| hold.board == name(here));
                return Ok(me.keep(held.map_or(9_999, |hold| hold.number)).await.map(drop));
            }
            Row::Send => {
                let file = File { name: "empty".to_owned(), size: 0, way: Way::Paste };
                return Ok(match me.follow(Follow::Send { board: name(here), file }).await {
                    Ok(mut sending) => {
                        assert_eq!(sending.rest().await?, "{\"kind\":\"done\"}\n");
                        Ok(())
                    }
                    Err(why) => Err(why),
                });
            }
            Row::Tunnel => {
                let tunnel = Follow::Tunnel { board: name(here), port: None };
                return Ok(me.follow(tunnel).await.map(drop));
            }
            Row::Export => return Ok(me.follow(Follow::Export).await.map(drop)),
            Row::Search | Row::SearchBoard => {
                let boards = if row == Row::Search { Vec::new() } else { vec![name(here)] };
                let ask = Search { pattern: "U-Boot".to_owned(), boards, ..Search::default() };
                return Ok(me.follow(Follow::Search(ask)).await.map(drop));
            }
        };
        Ok(match call {
            Call::Whoami => me.whoami().await.map(drop),
            Call::Boards => me.boards(Filter::default()).await.map(drop),
            Call::Board => me.board(name(here)).await.map(drop),
            Call::Classes => me.classes().await.map(drop),
            Call::Holds => me.holds().await.map(drop),
            Call::Queue => me.queue().await.map(drop),
            Call::Reserve => me.reserve(board(here)).await.map(drop),
            Call::Placed => {
                let number = self.place(whose).await?;
                let answer = me.placed(number, Span::default()).await;
                self.give_up(whose, number).await?;
                answer.map(drop)
            }
            Call::Unqueue => {
                let number = self.place(whose).await?;
                let answer = me.unqueue(number).await;
                if answer.is_err() {
                    self.give_up(whose, number).await?;
                }
                answer
            }
            Call::Release => me.release(name(here), Release::default()).await.map(drop),
            Call::Extend => me.extend(name(here), Span::hours(1)).await.map(drop),
            Call::Give => me.give(name(here), "eve".parse()?).await.map(drop),
            Call::Power => me.power(name(here), PowerAsk::On).await.map(drop),
            Call::Outlet => me.outlet(name(here)).await.map(drop),
            Call::Boots => me.boots(name(here), Some(Time(1))).await.map(drop),
            Call::Triggers => me.triggers().await.map(drop),
            Call::Pen | Call::TypeIn | Call::SendBreak => {
                let bobs = self.bob.type_at("theirs").await?;
                // Whatever she comes with, her consoles are open.
                let seated = match self.scope.is_open() {
                    true => &me,
                    false => &Person::new(self.lab.lab(), "ada", role).await?,
                };
                let mine = match whose {
                    Whose::Hidden => None,
                    _ if call == Call::Pen && row != Row::Dropping => {
                        Some(seated.look_at(here, From::End).await?)
                    }
                    _ => Some(match seated.type_at(here).await {
                        Ok(console) => console,
                        Err(_) => seated.look_at(here, From::End).await?,
                    }),
                };
                let reason = "because".to_owned();
                let session = mine.as_ref().map_or(bobs.session(), |mine| mine.session());
                if whose == Whose::Theirs && mine.is_some() && role == Role::Admin {
                    me.pen(session, PenAsk::Force { reason }).await?;
                }
                match call {
                    Call::Pen => {
                        let ask = match row {
                            Row::Asking => PenAsk::Ask,
                            Row::Keeping => PenAsk::Keep,
                            Row::Dropping => PenAsk::Drop,
                            _ => PenAsk::Take,
                        };
                        me.pen(session, ask).await.map(drop)
                    }
                    Call::TypeIn => me.type_in(session, b"\r".to_vec()).await,
                    _ => me.send_break(session, Span::millis(1)).await,
                }
            }
            Call::Signal => me.signal(name(here), Signal::Break { name: None }).await,
            Call::Note => me.note(name(here), "hello".to_owned()).await,
            Call::May => {
                me.may(MayAsk { verb: Verb::See, board: None, who: other }).await.map(drop)
            }
            Call::Accounts => me.accounts().await.map(drop),
            Call::ChangeAccount => {
                let ask = AccountAsk::Grant { role: Role::Viewer, span: None };
                me.change_account(account, ask).await.map(drop)
            }
            Call::Tokens => me.tokens().await.map(drop),
            Call::MakeToken => {
                me.make_token(TokenAsk { who: other, ..TokenAsk::default() }).await.map(drop)
            }
            Call::RevokeToken => {
                if whose == Whose::Nobodys {
                    return Ok(me.revoke_token("00000000".to_owned()).await.map(drop));
                }
                let ask = TokenAsk { who: Some(account), ..TokenAsk::default() };
                let id = self.root.make_token(ask).await?.token.id;
                me.revoke_token(id).await.map(drop)
            }
            Call::Keys => me.keys().await.map(drop),
            Call::AddKey => {
                let added = me.add_key(other, key("A", "new")).await;
                if let Ok(key) = &added {
                    self.root.remove_key(key.fingerprint.clone()).await?;
                }
                added.map(drop)
            }
            Call::RemoveKey => {
                if whose == Whose::Nobodys {
                    return Ok(me.remove_key("SHA256:none".to_owned()).await.map(drop));
                }
                let known = self.root.add_key(Some(account), key("B", "old")).await?.fingerprint;
                let removed = me.remove_key(known.clone()).await;
                if removed.is_err() {
                    self.root.remove_key(known).await?;
                }
                removed.map(drop)
            }
            Call::Enrol => me.enrol(String::new()).await.map(drop),
            Call::Logins => me.logins().await.map(drop),
            Call::LogOut => {
                if whose == Whose::Nobodys {
                    return Ok(me.log_out("00000000".to_owned()).await.map(drop));
                }
                let id = self.login_of(account).await?;
                let logged_out = me.log_out(id.clone()).await;
                if logged_out.is_err() {
                    self.root.log_out(id).await?;
                }
                logged_out.map(drop)
            }
            Call::FoundAt => me.found_at().await.map(drop),
            Call::Reload => me.reload().await.map(drop),
            Call::Doctor => me.doctor().await.map(drop),
            Call::Verify => me.verify().await.map(drop),
            Call::Rebuild => me.rebuild().await.map(drop),
            Call::Import => {
                let export = self.root.follow(Follow::Export).await?.rest().await?;
                me.import(export.lines().map(str::to_owned).collect()).await.map(drop)
            }
        })
    }

    /// What was not allowed, or is hidden, is on record once, with the words in which it was refused.
    pub(super) async fn check_record(
        &self,
        row: Row,
        whose: Whose,
        answer: &Result<(), Error>,
    ) -> Result<()> {
        let why = match answer {
            Err(why @ (Error::NotAllowed { .. } | Error::OutOfScope { .. })) => why.to_string(),
            // A session is not there, whoever's board it is at.
            Err(why @ Error::NoSuch { what, .. }) if whose == Whose::Hidden && what == "board" => {
                why.to_string()
            }
            _ => return Ok(()),
        };
        // Whatever was refused before this is on disk with this.
        self.root.note(name("nobodys"), "so far".to_owned()).await?;
        let lately = self.lab.lab().clock().now() - Span::seconds(1);
        let all =
            Follow::Journal { board: None, from: Some(1), since: None, tail: 0, stop_at_end: true };
        let all = self.root.follow(all).await?.rest().await?;
        let entries = all.lines().map(serde_json::from_str::<Entry>);
        let entries: Vec<Entry> = entries.collect::<Result<_, _>>()?;
        let is_it = |entry: &&Entry| {
            let is_refusal =
                matches!(&entry.event, Event::Denied { why: said, .. } if *said == why);
            is_refusal
                && entry.at > lately
                && entry.who.as_ref().is_some_and(|it| it.as_str() == "ada")
        };
        // To have a console open she may have been refused the same, with the board.
        let boards: Vec<_> = entries.iter().filter(is_it).map(|entry| &entry.board).collect();
        let is_each_once = boards.iter().collect::<BTreeSet<_>>().len() == boards.len();
        let told = format!("{row:?} {whose:?}: {why}: {boards:?}");
        ensure!(is_each_once && !boards.is_empty(), "{told}");
        Ok(())
    }

    /// A place of ada's, of bob's, of nobody.
    pub(super) async fn place(&self, whose: Whose) -> Result<u64> {
        let placed = match whose {
            Whose::Mine => self.lab.user("ada").await?.reserve(queued(board("theirs"))).await?,
            Whose::Theirs => self.bob.reserve(queued(board("mine"))).await?,
            Whose::Nobodys | Whose::Hidden => return Ok(9_999),
        };
        Ok(waits(placed)?.number)
    }

    pub(super) async fn give_up(&self, whose: Whose, number: u64) -> Result<()> {
        match whose {
            Whose::Mine => Ok(self.lab.user("ada").await?.unqueue(number).await?),
            Whose::Theirs => Ok(self.bob.unqueue(number).await?),
            Whose::Nobodys | Whose::Hidden => Ok(()),
        }
    }
}
