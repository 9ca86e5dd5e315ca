//! Calls of somebody who is known, while strangers flood the door.

use anyhow::Result;
use lab_tests::flood::Flood;
use protocol::address::Address;
use protocol::client::Client;

use crate::figure::{Bar, Report, Sample};
use crate::process::Lab;

const SILENT: usize = 2_000;
const HALF: usize = 500;
const WILD: usize = 100;
const CALLS: usize = 2_000;

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let lab = Lab::start_with_door()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (address, known) = lab.way_in().await?;
        let Address::Tls { port, .. } = &address else { anyhow::bail!("{address} is no TLS") };
        let client = Client::connect_as(&address, known.clone()).await?;
        let (calm, before) = (calls(&client).await?, lab.memory()?);
        let flood = Flood::over(&[*port], SILENT, HALF, WILD).await?;
        let flooded = calls(&client).await?;
        let grown = lab.peak_memory()? - before;
        Client::connect_as(&address, known.clone()).await?.whoami().await?;
        let seen = format!(
            "p99 of a call over TLS; without {:.2}; {} strangers from 8 addresses",
            calm.percentile(99) * 1e3,
            flood.held()
        );
        report.figure(
            "flood-call-p99",
            flooded.percentile(99) * 1e3,
            "ms",
            &seen,
            Bar::Most(100.0),
        )?;
        report.figure("flood-memory", grown, "MB", "more than before it", Bar::Most(64.0))?;
        drop(flood);
        Client::connect_as(&address, known).await?.whoami().await?;
        Ok(())
    })
}

async fn calls(client: &Client) -> Result<Sample> {
    let mut sample = Sample::new();
    for _ in 0..CALLS {
        sample.time(client.whoami()).await?;
    }
    Ok(sample)
}
