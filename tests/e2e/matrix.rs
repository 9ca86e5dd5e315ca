//! Who gets what from each call and each follow: every role, with what is their own, somebody else's,
//! nobody's, and what is there for others only. Then with a token that is for another board, or for looking.
//!
//! A call or a follow that has no rows does not compile here; a row that says something else fails.
//!
//! Planted, and caught: `change_account` or `export` asks nobody; a note takes no more than looking;
//! anybody removes any key; a token with a scope types at any console that its owner has open, keeps what
//! they hold, or revokes their other tokens; anybody logs anybody out.

mod scene;
mod ssh;

use std::fmt::Write;

use anyhow::{Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use lab_tests::lab::name;
use protocol::Error;
use protocol::user::{Role, Scope, Verb};

use self::scene::{Row, Scene, Whose, calls, follows};

/// In each column a sign for one's own, somebody else's, nobody's; for boards, also for one of others'
/// group; for sessions, for one's own at such boards, and for somebody else's. One sign where it makes no
/// difference. `+` is done, `-` not allowed, `h` held by somebody, `n` not held, `.` there is none;
/// `x` not with what they came with, `o` not what their token is for.
const CALLS: &str = "
                  viewer  machine user    moderator admin
whoami            +       +       +       +       +
boards            +       +       +       +       +
board             +++.    +++.    +++.    ++++    ++++
classes           +       +       +       +       +
holds             +       +       +       +       +
queue             +       +       +       +       +
reserve           ---.    +h+.    +h+.    +h++    +h++
placed            +..     +..     +..     +..     +..
unqueue           ---     +..     +..     +..     +..
release           ---.    +hn.    +hn.    +hnn    +hnn
  breaking        ---.    ---.    ---.    ++nn    ++nn
extend            ---.    +hn.    +hn.    +hnn    +hnn
give              ----    ----    +hn.    +hnn    +hnn
power             ---.    +hn.    +hn.    +hnn    ++++
outlet            +++.    +++.    +++.    ++++    ++++
boots             +++.    +++.    +++.    ++++    ++++
triggers          +       +       +       +       +
pen               ---.    +hn.    +hn.    +hn.    +++.
  asking          ---.    ++n.    ++n.    ++n.    +++.
  keeping         ---.    +hn.    +hn.    +hn.    +++.
  dropping        ---.    +++.    +++.    +++.    +++.
type_in           ---.    +hn.    +hn.    +hn.    +++.
send_break        ---.    +hn.    +hn.    +hn.    +++.
signal            ---.    +hn.    +hn.    +hnn    ++++
note              ---.    +++.    +++.    ++++    ++++
may               +--     +--     +--     ++.     ++.
accounts          +       +       +       +       +
change_account    ---     ---     ---     ---     ++.
tokens            +       +       +       +       +
make_token        ---     ---     +--     +--     ++.
revoke_token      +..     +..     +..     +..     ++.
keys              +       +       +       +       +
add_key           ---     ---     +--     +--     ++.
remove_key        +..     +..     +..     +..     ++.
enrol             x       x       x       x       x
  invited         +       +       +       +       +
logins            +       +       +       +       +
log_out           +..     +..     +..     +..     ++.
found_at          +       +       +       +       +
reload            -       -       -       -       +
doctor            +       +       +       +       +
verify            -       -       -       -       +
rebuild           -       -       -       -       +
import            -       -       -       -       +
";

const FOLLOWS: &str = "
                  viewer  machine user    moderator admin
console           +++.    +++.    +++.    ++++    ++++
  with the pen    ---.    +hn.    +hn.    +hnn    ++++
desk              +++.    +++.    +++.    ++++    ++++
journal           +       +       +       +       +
  of a board      +++.    +++.    +++.    ++++    ++++
replay            +++.    +++.    +++.    ++++    ++++
boards            +       +       +       +       +
keep              ---     +..     +..     +..     +..
send              ---.    +hn.    +hn.    +hnn    ++++
tunnel            ---.    +hn.    +hn.    +hnn    +hnn
export            -       -       -       -       +
search            +       +       +       +       +
  of a board      +++.    +++.    +++.    ++++    ++++
";

/// What is her own, with a token that is for another board, and with one that is for looking.
const SCOPED: &str = "
                  user    admin
whoami            ++      ++
boards            ++      ++
board             o+      o+
classes           ++      ++
holds             ++      ++
queue             ++      ++
reserve           oo      oo
placed            o+      o+
unqueue           oo      oo
release           oo      oo
  breaking        o-      oo
extend            oo      oo
give              oo      oo
power             oo      oo
outlet            o+      o+
boots             o+      o+
triggers          ++      ++
pen               oo      oo
  asking          oo      oo
  keeping         oo      oo
  dropping        oo      oo
type_in           oo      oo
send_break        oo      oo
signal            oo      oo
note              oo      oo
may               ++      ++
accounts          ++      ++
change_account    --      oo
tokens            ++      ++
make_token        oo      oo
revoke_token      oo      oo
keys              ++      ++
add_key           oo      oo
remove_key        oo      oo
enrol             xx      xx
logins            ++      ++
log_out           oo      oo
found_at          ++      ++
reload            --      oo
doctor            ++      ++
verify            --      oo
rebuild           --      oo
import            --      oo
console           o+      o+
  with the pen    oo      oo
desk              o+      o+
journal           ++      ++
  of a board      o+      o+
replay            o+      o+
boards            ++      ++
keep              oo      oo
send              oo      oo
tunnel            oo      oo
export            --      oo
search            ++      ++
  of a board      o+      o+
";

fn sign(answer: Result<(), Error>) -> Result<char> {
    Ok(match answer {
        Ok(()) => '+',
        Err(Error::NotAllowed { .. }) => '-',
        Err(Error::HeldBy { .. }) => 'h',
        Err(Error::NotHeld { .. }) => 'n',
        Err(Error::NoSuch { .. }) => '.',
        Err(Error::NotKnown { .. }) => 'x',
        Err(Error::OutOfScope { .. }) => 'o',
        Err(other) => bail!("{other:?}"),
    })
}

/// So many rows are asked at once.
const AT_ONCE: usize = 8;

/// By which door ada comes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Door {
    Calls,
    Rest,
    Ssh,
}

async fn table(rows: Vec<Row>, door: Door) -> Result<String> {
    let lines = stream::iter(rows).map(|row| line(row, door)).buffered(AT_ONCE);
    let lines: Vec<String> = lines.try_collect().await?;
    let head = "                  viewer  machine user    moderator admin";
    Ok(format!("\n{head}\n{}\n", lines.join("\n")))
}

/// A row's. What it has done is nothing to another's: each has a lab of its own.
async fn line(row: Row, door: Door) -> Result<String> {
    let scene = Scene::new(door).await?;
    let mut line = format!("{:<18}", row.word());
    for role in Role::ALL {
        let mut signs = String::new();
        for whose in row.columns(door) {
            scene.restore(row).await?;
            signs.push(scene.sign(row, role, *whose).await?);
        }
        write!(line, "{signs:<8}")?;
    }
    Ok(line.trim_end().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_gives_every_role_what_the_table_says() -> Result<()> {
    let table = table(calls(), Door::Calls).await?;
    assert!(table == CALLS, "{table}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_follow_gives_every_role_what_the_table_says() -> Result<()> {
    let table = table(follows(), Door::Calls).await?;
    assert!(table == FOLLOWS, "{table}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_of_its_owners_own_what_the_table_says() -> Result<()> {
    let for_another = Scope { boards: vec![name("nobodys")], ..Scope::default() };
    let for_looking = Scope { verbs: vec![Verb::See], ..Scope::default() };
    let mut table = String::from("\n                  user    admin\n");
    for row in calls().into_iter().chain(follows()).filter(|row| *row != Row::Invited) {
        let mut scene = Scene::new(Door::Calls).await?;
        let mut line = format!("{:<18}", row.word());
        for role in [Role::User, Role::Admin] {
            let mut signs = String::new();
            for scope in [&for_another, &for_looking] {
                scene.restore(row).await?;
                scene.scope = scope.clone();
                let answer = scene.ask(row, role, Whose::Mine).await?;
                scene.check_record(row, Whose::Mine, &answer).await?;
                let told = format!("{row:?} {role} {scope:?}: {answer:?}");
                signs.push(sign(answer).map_err(|error| error.context(told))?);
            }
            write!(line, "{signs:<8}")?;
        }
        table += line.trim_end();
        table.push('\n');
    }
    assert!(table == SCOPED, "{table}");
    Ok(())
}

/// By REST ada comes with a token, and no token makes a key, which would last longer.
fn with_token(table: &str) -> String {
    let line = |line: &str| match line.strip_prefix("add_key ") {
        Some(_) => "add_key           ---     ---     o--     o--     oo.\n".to_owned(),
        None => line.to_owned(),
    };
    table.split_inclusive('\n').map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn by_rest_every_call_and_follow_gives_every_role_the_same() -> Result<()> {
    let calls = table(calls(), Door::Rest).await?;
    assert!(calls == with_token(CALLS), "{calls}");
    // There are no tunnels by REST, and no files go up.
    let by_rest = |row: &Row| !matches!(row, Row::Tunnel | Row::Send);
    let is_left_out = |line: &str| line.starts_with("tunnel") || line.starts_with("send");
    let follows = table(follows().into_iter().filter(by_rest).collect(), Door::Rest).await?;
    let same: String = FOLLOWS.split_inclusive('\n').filter(|line| !is_left_out(line)).collect();
    assert!(follows == same, "{follows}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn by_ssh_every_role_gets_what_the_calls_give_it() -> Result<()> {
    let by_ssh = table(ssh::rows(), Door::Ssh).await?;
    for line in by_ssh.lines() {
        let own_token = "make_token        -       -       +       +       +";
        let is_same = CALLS.lines().chain(FOLLOWS.lines()).any(|same| same == line);
        assert!(is_same || line == own_token, "{line}");
    }
    Ok(())
}
