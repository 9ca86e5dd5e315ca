//! Version 1: boards, classes, holds and the queue, power, consoles, journals, administration; accounts,
//! tokens and keys.

use protocol::account::{
    Account, AccountAsk, Enrolled, Grant, Key, Login, May, MayAsk, NewToken, Secret, Token,
    TokenAsk,
};
use protocol::board::{Board, BoardName, Filter, State};
use protocol::boot::{Boot, Boots, Cause, Outcome, Reached, Usual};
use protocol::console::{ConsoleState, Desk, From, Pen, PenAsk, PenState, Signal, Viewer};
use protocol::error::Error;
use protocol::hold::{Ask, Ended, Hold, IfTaken, Place, Placed, Release, Want};
use protocol::journal::{Entry, Event};
use protocol::power::{PowerAsk, PowerState};
use protocol::provider::{Begin, Begun, Identity, Offer, Progress, Standing};
use protocol::replay::Moment;
use protocol::search::{Case, Direction, Hit, Search};
use protocol::send::{File, Sending, Way};
use protocol::service::LabRequest;
use protocol::trigger::Trigger;
use protocol::user::{Role, Scope, UserName, Verb, Who};
use protocol::wire::{self, Follow, Purpose, Welcome};
use protocol::{Span, Time};
use tokio::io::BufReader;

use super::{assert_read, assert_wire};

fn rpi4() -> BoardName {
    "rpi4".parse().expect("a name")
}

fn ada() -> UserName {
    "ada".parse().expect("a name")
}

fn hold() -> Hold {
    Hold {
        number: 41,
        board: rpi4(),
        who: ada(),
        since: Time(1_700_000_000_000),
        until: Time(1_700_003_600_000),
        grace: Some(Span(30_000)),
        note: None,
        place: Some(40),
    }
}

const HOLD: &str = r#"{"number":41,"board":"rpi4","who":"ada","since":1700000000000,"until":1700003600000,"grace":30000,"note":null,"place":40}"#;

#[test]
fn a_hold_carries_its_fence() {
    assert_wire(&hold(), HOLD);
    let without = Hold { grace: None, place: None, ..hold() };
    assert_read(
        &without,
        r#"{"number":41,"board":"rpi4","who":"ada","since":1700000000000,"until":1700003600000}"#,
    );
}

#[test]
fn an_ask_says_what_is_wanted_by_kind() {
    let ask = Ask {
        want: Want::Class { name: "rk3588".into() },
        span: Some(Span::hours(1)),
        if_taken: IfTaken::Queue,
        grace: None,
        note: None,
        ssh_key: None,
    };
    assert_wire(
        &ask,
        r#"{"want":{"kind":"class","name":"rk3588"},"span":3600000,"if_taken":"queue","grace":null,"note":null,"ssh_key":null}"#,
    );
    assert_read(
        &Ask { span: None, if_taken: IfTaken::Refuse, ..ask },
        r#"{"want":{"kind":"class","name":"rk3588"}}"#,
    );
    assert_wire(&Want::Board { name: rpi4() }, r#"{"kind":"board","name":"rpi4"}"#);
    let expr = "arm64 and not flaky".parse().expect("an expression");
    assert_wire(&Want::Tags { expr }, r#"{"kind":"tags","expr":"arm64 and not flaky"}"#);
}

#[test]
fn an_answer_is_a_hold_or_a_place() {
    assert_wire(&Placed::Held { hold: hold() }, &format!(r#"{{"kind":"held","hold":{HOLD}}}"#));
    let place = Place {
        number: 7,
        who: ada(),
        want: Want::Board { name: rpi4() },
        span: None,
        since: Time(1),
        position: 2,
        expected: Some(Time(5)),
        because: Vec::new(),
    };
    assert_wire(
        &Placed::Queued { place },
        r#"{"kind":"queued","place":{"number":7,"who":"ada","want":{"kind":"board","name":"rpi4"},"span":null,"since":1,"position":2,"expected":5,"because":[]}}"#,
    );
}

#[test]
fn refusals_are_values() {
    assert_wire(
        &Error::HeldBy { board: rpi4(), who: ada(), until: Time(1_700_000_000_000) },
        r#"{"kind":"held-by","board":"rpi4","who":"ada","until":1700000000000}"#,
    );
    assert_wire(
        &Error::NotAllowed { who: ada(), verb: "hold boards".into(), needs: Role::User },
        r#"{"kind":"not-allowed","who":"ada","verb":"hold boards","needs":"user"}"#,
    );
    assert_wire(
        &Error::HoldOver { board: rpi4(), number: 41, how: "released".into() },
        r#"{"kind":"hold-over","board":"rpi4","number":41,"how":"released"}"#,
    );
    assert_wire(
        &Error::NoPen { board: rpi4(), of: Some("ada".parse().expect("a name")) },
        r#"{"kind":"no-pen","board":"rpi4","of":"ada"}"#,
    );
    assert_wire(&Error::TimedOut { seconds: 5 }, r#"{"kind":"timed-out","seconds":5}"#);
    assert_wire(
        &Error::Unsure { why: "labd was restarted".into() },
        r#"{"kind":"unsure","why":"labd was restarted"}"#,
    );
    assert_read(&Error::Unknown, r#"{"kind":"out-of-coffee","cups":0}"#);
}

#[test]
fn a_row_of_the_table_is_read_without_what_came_later() {
    let row = Board {
        name: rpi4(),
        class: "rpi".into(),
        tags: Vec::new(),
        groups: Vec::new(),
        state: State::Free,
        hold: None,
        waiting: 0,
        power: PowerState::Off,
        console: ConsoleState::Open,
        last_line: "login:".into(),
        fault: None,
    };
    assert_wire(
        &row,
        r#"{"name":"rpi4","class":"rpi","tags":[],"state":"free","hold":null,"waiting":0,"power":"off","console":"open","last_line":"login:","fault":null}"#,
    );
    let newer = r#"{"name":"rpi4","class":"rpi","state":"on-loan","power":"hibernating","console":"muted","colour":"green"}"#;
    let row = Board {
        state: State::Unknown,
        power: PowerState::Unknown,
        console: ConsoleState::Unknown,
        last_line: String::new(),
        ..row
    };
    assert_read(&row, newer);
    assert_wire(&Filter::default(), r#"{"want":null,"mine":false}"#);
}

#[test]
fn entries_of_the_timeline_carry_their_event_by_kind() {
    let entry = |event| Entry {
        seq: 9,
        at: Time(1_700_000_000_000),
        who: Some(ada()),
        via: None,
        request: None,
        board: Some(rpi4()),
        offset: Some(4711),
        event,
    };
    let around = |event: &str| {
        format!(
            r#"{{"seq":9,"at":1700000000000,"who":"ada","board":"rpi4","offset":4711,"event":{event}}}"#
        )
    };
    for (event, bytes) in [
        (Event::Stopped, r#"{"kind":"stopped"}"#),
        (Event::PowerAsked { ask: PowerAsk::Cycle }, r#"{"kind":"power-asked","ask":"cycle"}"#),
        (Event::PowerDone { ask: PowerAsk::Reset }, r#"{"kind":"power-done","ask":"reset"}"#),
        (Event::PowerJoined { ask: PowerAsk::On }, r#"{"kind":"power-joined","ask":"on"}"#),
        (
            Event::Tunnelled { to: "10.0.0.7:22".into() },
            r#"{"kind":"tunnelled","to":"10.0.0.7:22"}"#,
        ),
        (Event::PowerSeen { state: PowerState::On }, r#"{"kind":"power-seen","state":"on"}"#),
        (
            Event::Ended {
                number: 41,
                holder: ada(),
                how: Ended::Broken { by: ada(), reason: "fire drill".into() },
            },
            r#"{"kind":"ended","number":41,"holder":"ada","how":{"kind":"broken","by":"ada","reason":"fire drill"}}"#,
        ),
        (
            Event::Typed { text: Some("ls\\r".into()), bytes: 3 },
            r#"{"kind":"typed","text":"ls\\r","bytes":3}"#,
        ),
        (
            Event::Account { name: ada(), what: "removed".into() },
            r#"{"kind":"account","name":"ada","what":"removed"}"#,
        ),
        (
            Event::Token { id: "t4k9".into(), of: ada(), what: "made".into() },
            r#"{"kind":"token","id":"t4k9","of":"ada","what":"made"}"#,
        ),
        (
            Event::Key { fingerprint: "SHA256:1".into(), of: ada(), what: "added".into() },
            r#"{"kind":"key","fingerprint":"SHA256:1","of":"ada","what":"added"}"#,
        ),
        (
            Event::Denied { verb: Verb::Power, why: "no".into() },
            r#"{"kind":"denied","verb":"power","why":"no"}"#,
        ),
        (Event::Forgotten { last: 9 }, r#"{"kind":"forgotten","last":9}"#),
        (Event::ClockStepped { by_ms: -5 }, r#"{"kind":"clock-stepped","by_ms":-5}"#),
        (
            Event::BootBegan { number: 7, cause: Cause::Itself },
            r#"{"kind":"boot-began","number":7,"cause":"itself"}"#,
        ),
        (
            Event::BootReached { number: 7, stage: "kernel".into(), after: Span(2_310) },
            r#"{"kind":"boot-reached","number":7,"stage":"kernel","after":2310}"#,
        ),
        (
            Event::BootHung { number: 7, stage: None, usual: Span(5) },
            r#"{"kind":"boot-hung","number":7,"stage":null,"usual":5}"#,
        ),
        (
            Event::BootEnded { number: 7, outcome: Outcome::Done, after: Span(9) },
            r#"{"kind":"boot-ended","number":7,"outcome":"done","after":9}"#,
        ),
        (Event::Panicked, r#"{"kind":"panicked"}"#),
        (
            Event::Matched { trigger: "hot".into(), text: "too hot".into() },
            r#"{"kind":"matched","trigger":"hot","text":"too hot"}"#,
        ),
        (
            Event::Muted { trigger: "hot".into(), span: Span(60_000) },
            r#"{"kind":"muted","trigger":"hot","span":60000}"#,
        ),
    ] {
        assert_wire(&entry(event), &around(bytes));
    }
    assert_read(&entry(Event::Unknown), &around(r#"{"kind":"levitated","by":3}"#));
    let from = Entry { via: Some("unix pid 7".into()), request: Some(12), ..entry(Event::Break) };
    assert_wire(
        &from,
        r#"{"seq":9,"at":1700000000000,"who":"ada","via":"unix pid 7","request":12,"board":"rpi4","offset":4711,"event":{"kind":"break"}}"#,
    );
    let bare = Entry { who: None, board: None, offset: None, ..entry(Event::Stopped) };
    assert_wire(&bare, r#"{"seq":9,"at":1700000000000,"event":{"kind":"stopped"}}"#);
}

#[test]
fn boots_and_triggers() {
    let boot = Boot {
        number: 7,
        at: Time(1_700_000_000_000),
        offset: 4_096,
        cause: Cause::Power,
        stages: vec![Reached { stage: "rom".into(), after: Span(310), offset: 4_200 }],
        outcome: Outcome::Panicked,
        took: Some(Span(4_000)),
        hung: false,
    };
    let usual = Usual { stage: None, boots: 20, p50: Span(300), p95: Span(320), p99: Span(330) };
    assert_wire(
        &Boots { boots: vec![boot.clone()], usual: vec![usual] },
        r#"{"boots":[{"number":7,"at":1700000000000,"offset":4096,"cause":"power","stages":[{"stage":"rom","after":310,"offset":4200}],"outcome":"panicked","took":4000,"hung":false}],"usual":[{"boots":20,"p50":300,"p95":320,"p99":330}]}"#,
    );
    assert_read(
        &Boot { outcome: Outcome::Unknown, took: None, cause: Cause::Unknown, ..boot },
        r#"{"number":7,"at":1700000000000,"offset":4096,"cause":"kexec","stages":[{"stage":"rom","after":310,"offset":4200}],"outcome":"lost"}"#,
    );
    assert_wire(
        &Trigger {
            name: "hot".into(),
            pattern: "too hot".into(),
            deeds: vec!["power off".into()],
            times: 10,
            every: Span(60_000),
            boards: vec![rpi4()],
        },
        r#"{"name":"hot","pattern":"too hot","deeds":["power off"],"times":10,"every":60000,"boards":["rpi4"]}"#,
    );
}

#[test]
fn consoles_and_pens() {
    assert_wire(&From::Offset { offset: 5 }, r#"{"kind":"offset","offset":5}"#);
    assert_wire(&From::Boot, r#"{"kind":"boot"}"#);
    let screen = From::Screen { offset: None, tail: 0 };
    assert_wire(&screen, r#"{"kind":"screen","tail":0}"#);
    assert_read(&screen, r#"{"kind":"screen"}"#);
    let screen = From::Screen { offset: Some(5), tail: 4 };
    assert_wire(&screen, r#"{"kind":"screen","offset":5,"tail":4}"#);
    let welcome = Welcome { start: 5, painted: 9, ..Welcome::default() };
    assert_wire(&welcome, r#"{"start":5,"session":0,"painted":9}"#);
    assert_wire(&Pen::Wanted, r#""wanted""#);
    assert_wire(&PenAsk::Force { reason: "mine".into() }, r#"{"kind":"force","reason":"mine"}"#);
    assert_wire(&PenAsk::Ask, r#"{"kind":"ask"}"#);
    assert_wire(&PenAsk::Grant { session: Some(3) }, r#"{"kind":"grant","session":3}"#);
    assert_read(&PenAsk::Grant { session: None }, r#"{"kind":"grant"}"#);
    assert_wire(&PenAsk::Keep, r#"{"kind":"keep"}"#);
    assert_wire(&PenAsk::Pair { session: Some(3) }, r#"{"kind":"pair","session":3}"#);
    assert_wire(&PenAsk::Part, r#"{"kind":"part"}"#);
    assert_wire(&PenState::Paired, r#"{"kind":"paired"}"#);
    let viewer = Viewer {
        session: 3,
        who: ada(),
        since: Time(5),
        pen: false,
        paired: false,
        waits: Some(1),
        asked: Some(Time(7)),
    };
    let looks = r#"{"session":3,"who":"ada","since":5,"pen":false}"#;
    assert_wire(&Viewer { waits: None, asked: None, ..viewer.clone() }, looks);
    assert_wire(
        &Desk { viewers: vec![viewer], doing: None },
        r#"{"viewers":[{"session":3,"who":"ada","since":5,"pen":false,"waits":1,"asked":7}]}"#,
    );
    let granted = Event::PenGranted { session: 3, to: ada() };
    assert_wire(&granted, r#"{"kind":"pen-granted","session":3,"to":"ada"}"#);
    let kept = Event::PenKept { from: vec![ada()] };
    assert_wire(&kept, r#"{"kind":"pen-kept","from":["ada"]}"#);
    let passed = Event::PenPassed { session: 3, from: ada() };
    assert_wire(&passed, r#"{"kind":"pen-passed","session":3,"from":"ada"}"#);
    let paired = Event::Paired { session: 3, with: ada() };
    assert_wire(&paired, r#"{"kind":"paired","session":3,"with":"ada"}"#);
    assert_wire(&Event::Parted { with: ada() }, r#"{"kind":"parted","with":"ada"}"#);
    assert_wire(&Signal::Break { name: None }, r#"{"kind":"break","name":null}"#);
    let line = Signal::Line { name: "reset".to_owned() };
    assert_wire(&line, r#"{"kind":"line","name":"reset"}"#);
    let signalled = Event::Signalled { name: "reset".to_owned() };
    assert_wire(&signalled, r#"{"kind":"signalled","name":"reset"}"#);
    let file = File { name: "u-boot.bin".to_owned(), size: 5, way: Way::Xmodem1k };
    assert_wire(
        &Follow::Send { board: rpi4(), file },
        r#"{"kind":"send","board":"rpi4","file":{"name":"u-boot.bin","size":5,"way":"xmodem-1k"}}"#,
    );
    assert_wire(&Sending::Taken { bytes: 5 }, r#"{"kind":"taken","bytes":5}"#);
    assert_wire(&Sending::Done, r#"{"kind":"done"}"#);
    let failed = Sending::Failed { at: 5, why: "no".to_owned() };
    assert_wire(&failed, r#"{"kind":"failed","at":5,"why":"no"}"#);
    let (file, way) = ("u-boot.bin".to_owned(), Way::Paste);
    assert_wire(
        &Event::SendBegan { file: file.clone(), bytes: 5, way },
        r#"{"kind":"send-began","file":"u-boot.bin","bytes":5,"way":"paste"}"#,
    );
    assert_wire(&Event::Sent { file: file.clone() }, r#"{"kind":"sent","file":"u-boot.bin"}"#);
    assert_wire(
        &Event::SendFailed { file, at: 3, why: "no".to_owned() },
        r#"{"kind":"send-failed","file":"u-boot.bin","at":3,"why":"no"}"#,
    );
    assert_wire(&Follow::Desk { board: rpi4() }, r#"{"kind":"desk","board":"rpi4"}"#);
    assert_wire(&PenState::InLine { position: 1 }, r#"{"kind":"in-line","position":1}"#);
    assert_wire(&Who::new(ada(), Role::Admin), r#"{"name":"ada","role":"admin"}"#);
}

#[test]
fn accounts_and_what_is_asked_of_them() {
    let grant = Grant { role: Role::Moderator, until: Some(Time(9)) };
    assert_wire(
        &Account {
            name: ada(),
            roles: vec![grant],
            groups: vec!["lab".into()],
            identities: Vec::new(),
            since: Time(1),
        },
        r#"{"name":"ada","roles":[{"role":"moderator","until":9}],"groups":["lab"],"since":1}"#,
    );
    let (roles, groups, identities) = (Vec::new(), Vec::new(), Vec::new());
    let bare = Account { name: ada(), roles, groups, identities, since: Time(1) };
    assert_read(&bare, r#"{"name":"ada","since":1}"#);
    assert_wire(
        &Account { identities: vec![identity()], ..bare },
        r#"{"name":"ada","roles":[],"groups":[],"identities":["https://github.com#583231"],"since":1}"#,
    );
    let (role, span, group) = (Role::Machine, Some(Span(5)), "lab".to_owned());
    for (ask, bytes) in [
        (AccountAsk::Add { role, span }, r#"{"kind":"add","role":"machine","span":5}"#),
        (
            AccountAsk::Grant { role, span: None },
            r#"{"kind":"grant","role":"machine","span":null}"#,
        ),
        (AccountAsk::Withdraw { role }, r#"{"kind":"withdraw","role":"machine"}"#),
        (AccountAsk::Join { group: group.clone() }, r#"{"kind":"join","group":"lab"}"#),
        (AccountAsk::Leave { group }, r#"{"kind":"leave","group":"lab"}"#),
        (
            AccountAsk::Identify { identity: "github:583231".into() },
            r#"{"kind":"identify","identity":"github:583231"}"#,
        ),
        (
            AccountAsk::Disown { identity: "github:583231".into() },
            r#"{"kind":"disown","identity":"github:583231"}"#,
        ),
        (AccountAsk::Remove, r#"{"kind":"remove"}"#),
    ] {
        assert_wire(&ask, bytes);
    }
    let ask = MayAsk { verb: Verb::Tunnel, board: Some(rpi4()), who: None };
    assert_wire(&ask, r#"{"verb":"tunnel","board":"rpi4","who":null}"#);
    assert_read(&MayAsk { board: None, ..ask }, r#"{"verb":"tunnel"}"#);
    let may = May { allowed: false, because: vec!["no".into()] };
    assert_wire(&may, r#"{"allowed":false,"because":["no"]}"#);
}

fn identity() -> Identity {
    "https://github.com#583231".parse().expect("an identity")
}

#[test]
fn logging_in_by_way_of_a_provider() {
    assert_wire(&Offer { name: "github".into() }, r#"{"name":"github"}"#);
    let begin = Begin { provider: "github".into(), device: true };
    assert_wire(&begin, r#"{"provider":"github","device":true}"#);
    assert_read(&Begin { device: false, ..begin }, r#"{"provider":"github"}"#);
    let (handle, url, code) = ("h".into(), "https://x".into(), "BCDF-GHJK".into());
    assert_wire(
        &Begun { handle, url, code, until: Time(9), interval: Span(5) },
        r#"{"handle":"h","url":"https://x","code":"BCDF-GHJK","until":9,"interval":5}"#,
    );
    assert_wire(&Progress { handle: "h".into() }, r#"{"handle":"h"}"#);
    let waiting = Standing::Waiting { interval: Span(5) };
    assert_wire(&waiting, r#"{"kind":"waiting","interval":5}"#);
    let secret = "lab_00000000000000000000000000000000000000000002CZclj";
    assert_wire(
        &Standing::Known { token: Secret::new([0; 32]) },
        &format!(r#"{{"kind":"known","token":"{secret}"}}"#),
    );
    assert_wire(&Standing::Refused { why: "no".into() }, r#"{"kind":"refused","why":"no"}"#);
    assert_read(&Standing::Unknown, r#"{"kind":"of tomorrow"}"#);
}

#[test]
fn tokens_and_keys() {
    let scope =
        Scope { boards: vec![rpi4()], classes: vec!["rpi".into()], verbs: vec![Verb::Flash] };
    const SCOPE: &str = r#"{"boards":["rpi4"],"classes":["rpi"],"verbs":["flash"]}"#;
    let token = Token {
        id: "t4k9".into(),
        who: ada(),
        note: None,
        scope: scope.clone(),
        since: Time(1),
        until: Time(9),
        once: true,
        joins: true,
        used: Some(Time(5)),
        identity: None,
        exchanged: None,
    };
    let bytes = format!(
        r#"{{"id":"t4k9","who":"ada","note":null,"scope":{SCOPE},"since":1,"until":9,"once":true,"joins":true,"used":5}}"#
    );
    assert_wire(&token, &bytes);
    let bare =
        Token { scope: Scope::default(), once: false, joins: false, used: None, ..token.clone() };
    assert_read(&bare, r#"{"id":"t4k9","who":"ada","since":1,"until":9}"#);
    // CI that was given a token a year ago still comes in with it.
    let secret = "lab_00000000000000000000000000000000000000000002CZclj";
    let new = NewToken { token, secret: Secret::new([0; 32]) };
    assert_wire(&new, &format!(r#"{{"token":{bytes},"secret":"{secret}"}}"#));
    let ask =
        TokenAsk { who: None, note: None, scope, span: Some(Span(5)), once: false, joins: false };
    assert_wire(
        &ask,
        &format!(
            r#"{{"who":null,"note":null,"scope":{SCOPE},"span":5,"once":false,"joins":false}}"#
        ),
    );
    assert_read(&TokenAsk::default(), "{}");
    let key = Key {
        fingerprint: "SHA256:1".into(),
        who: ada(),
        line: "ssh-ed25519 AAAA".into(),
        since: Time(1),
    };
    assert_wire(
        &key,
        r#"{"fingerprint":"SHA256:1","who":"ada","line":"ssh-ed25519 AAAA","since":1}"#,
    );
    let login = Login {
        id: "3fa94c01".into(),
        who: ada(),
        from: "tls 192.0.2.7".into(),
        identity: None,
        first: None,
        since: Time(1),
        until: Time(9),
    };
    assert_wire(
        &login,
        r#"{"id":"3fa94c01","who":"ada","from":"tls 192.0.2.7","since":1,"until":9}"#,
    );
    let (certificate, since, until) = ("PEM".into(), Time(1), Time(9));
    assert_wire(
        &Enrolled { who: ada(), certificate, since, until },
        r#"{"who":"ada","certificate":"PEM","since":1,"until":9}"#,
    );
    let request = LabRequest::AddKey { who: None, line: "ssh-ed25519 AAAA".into() };
    let bytes = serde_json::to_string(&request).expect("a request");
    assert_eq!(bytes, r#"{"AddKey":{"who":null,"line":"ssh-ed25519 AAAA"}}"#);
}

/// A method is known by its name and its arguments by theirs.
#[test]
fn calls_are_made_by_name() {
    let bytes = |request: &LabRequest| serde_json::to_string(request).expect("a request");
    let power = LabRequest::Power { board: rpi4(), ask: PowerAsk::Off };
    assert_eq!(bytes(&power), r#"{"Power":{"board":"rpi4","ask":"off"}}"#);
    let release = LabRequest::Release {
        board: rpi4(),
        release: Release { number: Some(41), breaking: None },
    };
    assert_eq!(
        bytes(&release),
        r#"{"Release":{"board":"rpi4","release":{"number":41,"breaking":null}}}"#
    );
    assert_eq!(bytes(&LabRequest::Whoami {}), r#"{"Whoami":{}}"#);
}

#[test]
fn searches_and_hits() {
    let least = Search { pattern: "panic".to_owned(), ..Search::default() };
    assert_read(&Follow::Search(least.clone()), r#"{"kind":"search","pattern":"panic"}"#);
    let other = Search {
        regex: true,
        case: Case::Matters,
        class: Some("rk3588".to_owned()),
        since: Some(Time(1_700_000_000_000)),
        direction: Direction::Forward,
        ..least
    };
    assert_wire(
        &other,
        r#"{"pattern":"panic","regex":true,"case":"matters","boards":[],"class":"rk3588","since":1700000000000,"until":null,"direction":"forward","from":null,"limit":null}"#,
    );
    assert_wire(&Case::Ignored, r#""ignored""#);
    let hit = Hit {
        board: rpi4(),
        at: Time(1_700_000_000_000),
        offset: 4711,
        line: "Kernel panic".to_owned(),
        spans: vec![(7, 12)],
    };
    assert_wire(
        &hit,
        r#"{"board":"rpi4","at":1700000000000,"offset":4711,"line":"Kernel panic","spans":[[7,12]]}"#,
    );
}

#[test]
fn a_replay_is_of_bytes_and_of_entries() {
    let printed =
        Moment::Printed { at: Time(1_700_000_000_000), offset: 5, bytes: b"ok\xff".into() };
    assert_wire(&printed, r#"{"kind":"printed","at":1700000000000,"offset":5,"bytes":"b2v/"}"#);
    let entry = Entry {
        seq: 7,
        at: Time(1_700_000_000_000),
        who: None,
        via: None,
        request: None,
        board: Some(rpi4()),
        offset: Some(8),
        event: Event::Break,
    };
    assert_wire(
        &Moment::Happened { entry },
        r#"{"kind":"happened","entry":{"seq":7,"at":1700000000000,"board":"rpi4","offset":8,"event":{"kind":"break"}}}"#,
    );
    assert_read(&Moment::Unknown, r#"{"kind":"smelled","of":"smoke"}"#);
}

/// The first line is frozen for ever.
#[tokio::test]
async fn the_first_line_each_way() {
    let console =
        Follow::Console { board: rpi4(), from: From::End, pen: Pen::Unwanted, stop_at_end: false };
    let search = Search {
        pattern: "panic".to_owned(),
        boards: vec![rpi4()],
        until: Some(Time(1_700_000_000_000)),
        from: Some(4711),
        limit: Some(100),
        ..Search::default()
    };
    for (purpose, line) in [
        (Purpose::Call, "lab 1 call\n"),
        (
            Purpose::Prove(Secret::new([0; 32])),
            "lab 1 token lab_00000000000000000000000000000000000000000002CZclj\n",
        ),
        (
            Purpose::Follow(console),
            "lab 1 follow {\"kind\":\"console\",\"board\":\"rpi4\",\"from\":{\"kind\":\"end\"},\"pen\":\"unwanted\",\"stop_at_end\":false}\n",
        ),
        (
            Purpose::Follow(Follow::Replay {
                board: rpi4(),
                from: From::Boot,
                until: Some(From::Offset { offset: 5 }),
                stop_at_end: false,
            }),
            "lab 1 follow {\"kind\":\"replay\",\"board\":\"rpi4\",\"from\":{\"kind\":\"boot\"},\"until\":{\"kind\":\"offset\",\"offset\":5},\"stop_at_end\":false}\n",
        ),
        (
            Purpose::Follow(Follow::Journal {
                board: None,
                from: Some(1),
                since: Some(Time(1_700_000_000_000)),
                tail: 0,
                stop_at_end: true,
            }),
            "lab 1 follow {\"kind\":\"journal\",\"board\":null,\"from\":1,\"since\":1700000000000,\"tail\":0,\"stop_at_end\":true}\n",
        ),
        (
            Purpose::Follow(Follow::Journal {
                board: None,
                from: None,
                since: None,
                tail: 9,
                stop_at_end: false,
            }),
            "lab 1 follow {\"kind\":\"journal\",\"board\":null,\"from\":null,\"tail\":9,\"stop_at_end\":false}\n",
        ),
        (
            Purpose::Follow(Follow::Keep { number: 41 }),
            "lab 1 follow {\"kind\":\"keep\",\"number\":41}\n",
        ),
        (
            Purpose::Follow(Follow::Search(search)),
            "lab 1 follow {\"kind\":\"search\",\"pattern\":\"panic\",\"regex\":false,\"case\":\"smart\",\"boards\":[\"rpi4\"],\"class\":null,\"since\":null,\"until\":1700000000000,\"direction\":\"backward\",\"from\":4711,\"limit\":100}\n",
        ),
    ] {
        let mut sent = Vec::new();
        wire::ask(&mut sent, &purpose).await.expect("asks");
        assert_eq!(String::from_utf8(sent).expect("text"), line);
        assert_eq!(wire::listen(&mut BufReader::new(line.as_bytes())).await, Ok(purpose));
    }
    let mut answer = Vec::new();
    let welcome = Welcome { start: 4711, session: 3, ..Welcome::default() };
    wire::accept(&mut answer, &welcome).await.expect("answers");
    assert_eq!(answer, b"ok 1 1 {\"start\":4711,\"session\":3}\n");
    assert_eq!(wire::answer(&mut BufReader::new(answer.as_slice())).await, Ok(welcome));
}

#[tokio::test]
async fn a_first_line_that_is_none_is_refused_in_words() {
    let long = "lab 1 follow ".to_owned() + &"x".repeat(wire::LONGEST_LINE) + "\n";
    for (line, word) in [
        ("GET / HTTP/1.1\n", "this is a lab"),
        ("lab one call\n", "version"),
        ("lab 0 call\n", "update the client"),
        ("lab 1 dance\n", "unknown"),
        ("lab 1 follow {\n", "not understood"),
        ("lab 1 call", "ended in the first line"),
        (long.as_str(), "too long"),
        ("\u{0}\u{1}\n", "this is a lab"),
    ] {
        let refused = wire::listen(&mut BufReader::new(line.as_bytes())).await.expect_err(word);
        assert!(refused.to_string().contains(word), "{refused}");
        let mut answer = Vec::new();
        wire::refuse(&mut answer, &refused).await.expect("refuses");
        assert_eq!(wire::answer(&mut BufReader::new(answer.as_slice())).await, Err(refused));
    }
}

#[tokio::test]
async fn a_newer_daemon_that_no_longer_speaks_this_version_is_told_apart() {
    let answer = wire::answer(&mut BufReader::new(&b"ok 7 9 {}\n"[..])).await.expect_err("too old");
    assert!(answer.to_string().contains("update the client"), "{answer}");
    let answer =
        wire::answer(&mut BufReader::new(&b"SSH-2.0-OpenSSH_9.2\n"[..])).await.expect_err("no lab");
    assert!(answer.to_string().contains("is this a labd?"), "{answer}");
}
