use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::*;
use crate::clock::Clock;
use crate::config::Config;

/// The watchdog lives on it.
#[test]
fn a_lab_whose_decisions_are_stuck_has_no_pulse() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config::parse("boards []", "labd.conf").expect("a configuration");
    let runtime = Runtime::new().expect("a runtime");
    let opening = Lab::open(config, None, folder.path(), Clock::machine());
    let lab = runtime.block_on(opening).expect("opens");
    let mut pulse = lab.pulse();
    // With a clock of its own: the lab's threads are to stand still.
    let watcher = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut beats = |count: usize| {
        let counting = async {
            for _ in 0..count {
                pulse.changed().await.expect("the lab is there");
            }
        };
        watcher.block_on(async { timeout(GLANCE.duration() * 3, counting).await.is_ok() })
    };
    assert!(beats(2), "it is alive");
    let stuck = lab.book.lock();
    // One may have been on its way.
    assert!(!beats(2), "it cannot be");
    drop(stuck);
    assert!(beats(2), "it is again");
    lab.close();
}
