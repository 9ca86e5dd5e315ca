//! How long a story waits for anything: far longer than it takes, and never for ever.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{sleep, timeout};

/// Longer than anything takes on a machine that is busy with something else.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// So long between two looks.
const LOOK: Duration = Duration::from_millis(2);

/// What a future gives.
///
/// # Errors
/// If it takes longer than [`PATIENCE`].
pub async fn soon<T>(what: impl Future<Output = T>) -> Result<T> {
    timeout(PATIENCE, what).await.context("this should not take so long")
}

/// Waits for something that nobody tells of: a file, a process that ends.
///
/// # Errors
/// If it takes longer than [`PATIENCE`].
pub async fn until(mut is_so: impl FnMut() -> bool) -> Result<()> {
    soon(async {
        while !is_so() {
            sleep(LOOK).await;
        }
    })
    .await
}

/// The same, where somebody has to be asked.
///
/// # Errors
/// Theirs; if it takes longer than [`PATIENCE`].
pub async fn until_told(mut is_so: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    soon(async {
        while !is_so().await? {
            sleep(LOOK).await;
        }
        Ok(())
    })
    .await?
}
