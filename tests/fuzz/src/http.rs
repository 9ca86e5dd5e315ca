use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use labd::clock::Clock;
use labd::config::Config;
use labd::doorstep::{Doorstep, Stranger};
use labd::http::Site;
use labd::lab::Lab;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::runtime::Runtime;
use tokio::time::{Instant, timeout};

/// Only whoever is known may hear of it.
const SECRET: &str = "zq7x";
/// All is said by then.
const LIMIT: Duration = Duration::from_secs(8);

struct Scene {
    site: Arc<Site>,
    runtime: Runtime,
    _folder: TempDir,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let folder = TempDir::new().expect("a folder");
    let text = format!("classes {{ {SECRET} {{}} }} boards [ {{ name = {SECRET}; class = {SECRET} }} ]");
    let config = Config::parse(&text, "labd.conf").expect("a configuration");
    let runtime = Runtime::new().expect("a runtime");
    let opening = Lab::open(config, None, folder.path(), Clock::machine());
    let lab = runtime.block_on(opening).expect("it opens");
    Scene { site: Arc::new(Site::new(lab)), runtime, _folder: folder }
});

pub(crate) fn target(data: &[u8]) {
    let said = SCENE.runtime.block_on(answer(data));
    let text = String::from_utf8_lossy(&said);
    let asked = String::from_utf8_lossy(data);
    assert!(!text.contains(SECRET) || asked.contains(SECRET), "{text}");
    if said.is_empty() {
        return;
    }
    let status: u16 = text.get(9..12).and_then(|status| status.parse().ok()).expect("a status");
    let is_open = match status {
        // Whoever is to go on, and has not gone on.
        100 | 101 | 400..500 => true,
        200 => asked.contains("openapi.json"),
        _ => false,
    };
    assert!(is_open, "{text}");
}

/// What somebody is answered who says all that and no more.
async fn answer(data: &[u8]) -> Vec<u8> {
    let (here, there) = duplex(64 * 1024);
    let from = Ipv4Addr::LOCALHOST.into();
    let place = Doorstep::new().admit(from).expect("nobody else is there");
    let stranger = Stranger { from, due: Instant::now() + LIMIT * 2, place };
    let site = SCENE.site.clone();
    let served = tokio::spawn(async move { site.serve(stranger, None, there).await });
    let (mut ear, mut mouth) = split(here);
    let mut said = Vec::new();
    let talk = async {
        let speak = async {
            // The door may close before all is said.
            let _ = mouth.write_all(data).await;
            let _ = mouth.shutdown().await;
        };
        let (_, heard) = tokio::join!(speak, ear.read_to_end(&mut said));
        heard.expect("it can be read");
        served.await.expect("it does not panic");
    };
    timeout(LIMIT, talk).await.expect("it ends");
    said
}
