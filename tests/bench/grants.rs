//! From a release to whoever is next.

use std::time::Instant;

use anyhow::{Result, bail};
use protocol::Span;
use protocol::hold::{Placed, Release, Want};

use crate::figure::{Bar, Report, Sample};
use crate::holds::ask;
use crate::process::{Lab, name};

const ROUNDS: usize = 200;

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let lab = Lab::start(&[String::new()])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let times = runtime.block_on(async {
        let (holder, waiter) = (lab.client().await?, lab.client().await?);
        let class = || Want::Class { name: "a".to_owned() };
        holder.reserve(ask(class())).await?;
        let mut times = Sample::new();
        for _ in 0..ROUNDS {
            let Placed::Queued { place } = waiter.reserve(ask(class())).await? else {
                bail!("the board was free");
            };
            let waiter = waiter.clone();
            let granted = tokio::spawn(async move {
                let placed = waiter.placed(place.number, Span::minutes(1)).await?;
                anyhow::Ok((placed, Instant::now()))
            });
            // The waiter's call is answered later than this one: labd has both then.
            holder.whoami().await?;
            let begun = Instant::now();
            holder.release(name(0).parse()?, Release { number: None, breaking: None }).await?;
            let (Placed::Held { .. }, heard) = granted.await?? else {
                bail!("the board did not come");
            };
            times.add_time(heard - begun);
        }
        anyhow::Ok(times)
    })?;
    let seen = format!("p99 {:.2} ms; LAVA up to 20 s", times.percentile(99) * 1e3);
    report.figure("release-to-grant", times.median() * 1e3, "ms", &seen, Bar::Most(10.0))
}
