//! A console of the lab beside the same board at conserver, in one run and by turns: how many times as
//! good the lab is. Each is come to by the quickest way it has, which is a Unix socket here and TCP
//! without TLS there, and each writes down what the board prints.

mod daemon;

use std::sync::Arc;

use anyhow::Result;
use futures::future::try_join_all;
use protocol::client::{Client, Flow};
use protocol::console::{From, Pen};
use tokio::runtime::Runtime;

use crate::attach::{echoing, follow, type_on, type_through, until_open};
use crate::board::Board;
use crate::figure::{Bar, Report, Sample};
use crate::process::Lab;
use crate::viewers::{flood, read, seats};

use daemon::Conserver;

const ATTACHES: usize = 100;
const ROUNDS: usize = 5;
const MB: usize = 1_000_000;
/// How many look on, and what the board prints to them.
const VIEWERS: [(usize, usize); 4] = [(1, 32 * MB), (10, 16 * MB), (100, 8 * MB), (500, MB)];
const FLOODS: usize = 3;
/// What is printed while somebody does not read, and how many do.
const UNREAD: usize = 50 * MB;
const READERS: usize = 10;
/// Less memory than this is none: a page more or less would be a figure otherwise.
const LEAST_MEMORY: f64 = 0.1;

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let pair = Pair::start(&runtime)?;
    runtime.block_on(attach(report, &pair))?;
    echo(report, &pair, &runtime)?;
    runtime.block_on(fan_out(report, &pair))?;
    drop(pair);
    // Those that have not had all these viewers have no memory left over for one more.
    let pair = Pair::start(&runtime)?;
    runtime.block_on(stuck(report, &pair))
}

/// The two, with a board each.
struct Pair {
    lab: Lab,
    client: Client,
    board: Arc<Board>,
    conserver: Conserver,
    other: Arc<Board>,
}

impl Pair {
    fn start(runtime: &Runtime) -> Result<Pair> {
        let (board, other) = (Arc::new(Board::new()?), Arc::new(Board::new()?));
        let conserver = Conserver::start(&other)?;
        let lab = Lab::start(&[board.option()])?;
        let client = runtime.block_on(async {
            let client = lab.client().await?;
            until_open(&client, 1).await?;
            conserver.until_open().await?;
            anyhow::Ok(client)
        })?;
        Ok(Pair { lab, client, board, conserver, other })
    }
}

/// From connecting until what the board prints would be seen.
async fn attach(report: &mut Report, pair: &Pair) -> Result<()> {
    let (mut ours, mut theirs) = (Sample::new(), Sample::new());
    for _ in 0..ATTACHES {
        ours.time(follow(&pair.lab, From::End, Pen::Unwanted)).await?;
        theirs.time(pair.conserver.attach()).await?;
    }
    let (ours, theirs) = (ours.median() * 1e3, theirs.median() * 1e3);
    let seen = format!("p50 {ours:.3} ms; conserver {theirs:.3} ms");
    report.figure("conserver-attach", theirs / ours, "x", &seen, Bar::Least(1.0))
}

/// From a key to what the board sends back for it.
fn echo(report: &mut Report, pair: &Pair, runtime: &Runtime) -> Result<()> {
    let (mut ours, mut theirs) = (Sample::new(), Sample::new());
    let mut flow = runtime.block_on(pair.conserver.attach())?;
    for _ in 0..ROUNDS {
        echoing(&pair.board, || {
            runtime.block_on(type_through(&pair.lab, &pair.client, &mut ours))
        })?;
        echoing(&pair.other, || runtime.block_on(type_on(&mut flow, &mut theirs)))?;
    }
    for percent in [50, 99] {
        let (ours, theirs) = (ours.percentile(percent) * 1e6, theirs.percentile(percent) * 1e6);
        let seen = format!("{ours:.0} us; conserver {theirs:.0} us");
        let figure = format!("conserver-echo-p{percent}");
        report.figure(&figure, theirs / ours, "x", &seen, Bar::Least(1.0))?;
    }
    Ok(())
}

/// What arrives in all, of what the board prints as fast as it can.
async fn fan_out(report: &mut Report, pair: &Pair) -> Result<()> {
    for (viewers, bytes) in VIEWERS {
        let (mut ours, mut theirs) = (Sample::new(), Sample::new());
        for _ in 0..FLOODS {
            let here = seats(&pair.lab, viewers).await?;
            ours.add(flood(&pair.board, here, bytes, usize::MAX).await?);
            let there = attached(&pair.conserver, viewers).await?;
            theirs.add(flood(&pair.other, there, bytes, usize::MAX).await?);
        }
        let (ours, theirs) = (ours.median(), theirs.median());
        let seen = format!("{ours:.1} MB/s in all; conserver {theirs:.1}");
        let figure = format!("conserver-viewers-{viewers}");
        report.figure(&figure, ours / theirs, "x", &seen, Bar::Least(1.0))?;
    }
    Ok(())
}

/// Seats viewers, all at the same time: it takes its time over each.
async fn attached(conserver: &Conserver, viewers: usize) -> Result<Vec<Flow>> {
    try_join_all((0..viewers).map(|_| conserver.attach())).await
}

/// What somebody costs who does not read. Nothing is lost on them: in the end they read it all.
async fn stuck(report: &mut Report, pair: &Pair) -> Result<()> {
    let before = pair.lab.memory()?;
    let mut here = seats(&pair.lab, 1 + READERS).await?;
    let one = here.swap_remove(0);
    flood(&pair.board, here, UNREAD, usize::MAX).await?;
    let ours = (pair.lab.memory()? - before).max(LEAST_MEMORY);
    read(one, UNREAD).await?;

    let before = pair.conserver.memory()?;
    let mut there = attached(&pair.conserver, 1 + READERS).await?;
    let one = there.swap_remove(0);
    flood(&pair.other, there, UNREAD, usize::MAX).await?;
    let theirs = (pair.conserver.memory()? - before).max(LEAST_MEMORY);
    read(one, UNREAD).await?;

    let seen = format!("{ours:.1} MB; conserver {theirs:.1} MB; {} MB not read", UNREAD / MB);
    report.figure("conserver-stuck-memory", theirs / ours, "x", &seen, Bar::Least(1.0))
}
