//! Logging in by way of GitHub, or of whoever else vouches for people to a lab.

use std::process::{Command, Stdio};
use std::time::Duration;

use protocol::Error;
use protocol::account::Secret;
use protocol::address::Address;
use protocol::provider::{self, Begin, Begun, Offer, Progress, Standing};
use protocol::text::plain;
use protocol::web::Url;
use tokio::time::{Instant, sleep, timeout_at};

use crate::exit::{Failure, NOT_ALLOWED};
use crate::print::Output;

/// Labs are asked no oftener than this, and no less often than that, whatever they say.
const INTERVAL: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(60));
/// No login takes longer, whatever the clocks say.
const PATIENCE: Duration = Duration::from_secs(660);
/// A text of a lab's is shown up to here.
const LONGEST: usize = 4_096;

/// By way of whom somebody logs in who has not said; nobody, if a token is to be asked for.
pub(super) async fn usual(at: &Address, out: &Output) -> Option<String> {
    // A lab that does not say takes tokens.
    let offers = provider::offers(at).await.unwrap_or_default();
    match offers.as_slice() {
        [] => None,
        [Offer { name }] => Some(name.clone()),
        several => {
            let names: Vec<_> = several.iter().map(|offer| shown(&offer.name)).collect();
            out.say(format_args!("--with one of these needs no token: {}", names.join(", ")));
            None
        }
    }
}

/// Whether the system's own authorities say that a lab is who it is.
pub(super) async fn is_vouched_for(at: &Address) -> bool {
    !matches!(provider::offers(at).await, Err(Error::Unreachable { .. }))
}

/// Lets a browser go to `provider`, and waits for what comes of it.
pub(super) async fn token(
    at: &Address,
    provider: String,
    device: bool,
    out: &Output,
) -> anyhow::Result<Secret> {
    let begun = provider::begin(at, &Begin { provider, device }).await?;
    let Begun { url, code, .. } = &begun;
    out.say(format_args!("open this with a browser, and type the code when it is asked for"));
    out.say(format_args!("  {}\n  code: {}", shown(url), shown(code)));
    if !device {
        open(url);
    }
    let late = |_| Failure::not_in_time("nobody logged in at the provider", "begin anew");
    timeout_at(Instant::now() + PATIENCE, wait(at, begun)).await.map_err(late)?
}

async fn wait(at: &Address, begun: Begun) -> anyhow::Result<Secret> {
    let progress = Progress { handle: begun.handle };
    let mut interval = begun.interval;
    loop {
        sleep(interval.duration().clamp(INTERVAL.0, INTERVAL.1)).await;
        match provider::progress(at, &progress).await {
            Ok(Standing::Known { token }) => return Ok(token),
            Ok(Standing::Waiting { interval: next }) => interval = next,
            Ok(Standing::Refused { why }) => {
                let what = shown(&why);
                return Err(Failure { what, code: NOT_ALLOWED, help: None }.into());
            }
            Err(Error::NotKnown { why }) => {
                let (what, help) = (shown(&why), Some("begin anew".to_owned()));
                return Err(Failure { what, code: NOT_ALLOWED, help }.into());
            }
            Ok(Standing::Unknown) => return Err(Error::Unknown.into()),
            // A network that is away for a moment is back the next.
            Err(Error::Unreachable { .. }) => {}
            Err(other) => return Err(other.into()),
        }
    }
}

/// Opens a browser where there is one; whoever sees none has the address.
fn open(url: &str) {
    let is_screen = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|it| std::env::var_os(it).is_some());
    if is_screen && url.parse::<Url>().is_ok() {
        let mut browser = Command::new("xdg-open");
        browser.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let _ = browser.spawn();
    }
}

fn shown(text: &str) -> String {
    plain(text.as_bytes(), LONGEST)
}
