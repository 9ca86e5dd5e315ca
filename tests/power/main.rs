//! Stories of the power drivers, against what stands in for the hardware.

mod command;
mod hostile;
mod profiles;
mod snmp;

use std::time::Duration;

use anyhow::{Result, bail};
use labd::power::Power;
use tokio::time::{Instant, sleep};

/// Asks an outlet until it stands as wanted, as a keeper would.
async fn reach(outlet: &impl Power, wanted: bool) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while outlet.get().await? != Some(wanted) {
        if Instant::now() > deadline {
            bail!("{} is not reached", if wanted { "on" } else { "off" });
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
