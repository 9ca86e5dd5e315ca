//! Stories of the power drivers, against what stands in for the hardware.

mod command;
mod hostile;
mod profiles;
mod snmp;

use anyhow::{Context, Result};
use lab_tests::patience::until_told;
use labd::power::Power;

/// Asks an outlet until it stands as wanted, as a keeper would.
async fn reach(outlet: &impl Power, wanted: bool) -> Result<()> {
    until_told(async || Ok(outlet.get().await? == Some(wanted)))
        .await
        .with_context(|| format!("{} is not reached", if wanted { "on" } else { "off" }))
}
