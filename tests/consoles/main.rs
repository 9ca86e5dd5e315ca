//! The console drivers that talk to hardware, against ptys, listeners and Debian's ser2net.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail like the test")]

mod breaks;
mod errors;
mod lines;
mod pty;
mod reload;
mod ser2net;
mod serial;
mod served;
mod tcp;

use lab_tests::patience;
use labd::console::Port;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What no console may alter.
fn every_byte() -> Vec<u8> {
    (0..=255).collect()
}

/// What a future gives, which must not take for ever.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    patience::soon(future).await.unwrap()
}

/// Waits until something is so.
async fn until(is_so: impl FnMut() -> bool) {
    patience::until(is_so).await.unwrap();
}

async fn type_on(port: &mut Box<dyn Port>, bytes: &[u8]) {
    soon(async {
        port.write_all(bytes).await.unwrap();
        port.flush().await.unwrap();
    })
    .await;
}

/// Reads as many bytes as there should be.
async fn read(port: &mut Box<dyn Port>, bytes: usize) -> Vec<u8> {
    let mut read = vec![0; bytes];
    soon(port.read_exact(&mut read)).await.unwrap();
    read
}

/// Reads what is left until the device has gone.
async fn rest(port: &mut Box<dyn Port>) -> Vec<u8> {
    let mut rest = Vec::new();
    soon(port.read_to_end(&mut rest)).await.unwrap();
    rest
}
