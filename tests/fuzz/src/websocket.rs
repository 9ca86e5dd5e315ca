use std::sync::LazyLock;
use std::time::Duration;

use protocol::websocket;
use tokio::io::{AsyncReadExt, AsyncWriteExt, join, sink, split};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// Whoever says nothing is gone by then.
const LIMIT: Duration = Duration::from_secs(600);

/// Its time stands still while anything is done: what waits for ever is seen at once.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
});

pub(crate) fn target(data: &[u8]) {
    let carried = RUNTIME.block_on(carried(data.to_vec()));
    // Each message has a head.
    assert!(carried.len() <= data.len(), "{carried:?}");
}

/// What is within the messages of somebody who says all that and no more, while nothing is said to them.
async fn carried(data: Vec<u8>) -> Vec<u8> {
    let stream = join(std::io::Cursor::new(data), sink());
    let (mut ear, mut mouth) = split(websocket::server(stream).await);
    let mut carried = Vec::new();
    let talk = async {
        // They may have gone by then.
        let _ = mouth.shutdown().await;
        ear.read_to_end(&mut carried).await.expect("it can be read");
    };
    timeout(LIMIT, talk).await.expect("it ends");
    carried
}
