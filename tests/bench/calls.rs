//! A call, beside a bare frame there and back.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::figure::{Bar, Report, Sample};
use crate::process::{FRAME, Lab, Running, other, simulated};

const ROUNDS: usize = 20;
const CALLS: usize = 500;

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let lab = Lab::start(&vec![simulated(); 10])?;
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("sock");
    let _echo = Running::start(other("as-echo")?.arg(&socket))?;
    // As labctl has it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (calls, bare) = runtime.block_on(async {
        let client = lab.client().await?;
        let mut stream = connect(&socket).await?;
        let (mut calls, mut bare) = (Sample::new(), Sample::new());
        for _ in 0..ROUNDS {
            for _ in 0..CALLS {
                calls.time(client.whoami()).await?;
            }
            for _ in 0..CALLS {
                bare.time(ping(&mut stream)).await?;
            }
        }
        anyhow::Ok((calls, bare))
    })?;
    let us = |sample: &Sample, percent| sample.percentile(percent) * 1e6;
    for (name, percent, bar) in [("call-p50", 50, Bar::Most(6.0)), ("call-p99", 99, Bar::None)] {
        let (call, bare) = (us(&calls, percent), us(&bare, percent));
        let beside = format!("{call:.0} us; a bare frame there and back {bare:.0} us");
        report.figure(name, call / bare, "x", &beside, bar)?;
    }
    Ok(())
}

async fn ping(stream: &mut UnixStream) -> Result<()> {
    let mut frame = [0; FRAME];
    stream.write_all(&frame).await?;
    stream.read_exact(&mut frame).await?;
    Ok(())
}

async fn connect(socket: &Path) -> Result<UnixStream> {
    loop {
        match UnixStream::connect(socket).await {
            Ok(stream) => return Ok(stream),
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}
