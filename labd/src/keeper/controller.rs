//! The devices behind outlets: spoken to one at a time, and left in peace while they are dead.
//!
//! A switch answers few questions at once, so all outlets of one controller share a queue; those of
//! another are not delayed by it. A controller that stays silent is not asked again before a pause,
//! which grows with every silence: whoever asks meanwhile is told so at once.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

use crate::power::Error;

/// So many silences in a row close the way to a controller.
const PATIENCE: u32 = 3;
/// The first pause, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Every controller that somebody uses.
#[derive(Debug, Clone, Default)]
pub struct Controllers(Arc<Mutex<HashMap<String, Weak<Controller>>>>);

/// One controller.
#[derive(Debug)]
pub struct Controller {
    name: String,
    /// Whoever has it speaks; the others wait in the order they came.
    turn: tokio::sync::Mutex<()>,
    health: Mutex<Health>,
}

#[derive(Debug, Default)]
struct Health {
    silences: u32,
    /// How it failed the last time.
    last: String,
    closed_until: Option<Instant>,
}

impl Controllers {
    /// The controller of that name.
    pub fn get(&self, name: &str) -> Arc<Controller> {
        let mut controllers = self.0.lock();
        if let Some(controller) = controllers.get(name).and_then(Weak::upgrade) {
            return controller;
        }
        let controller = Arc::new(Controller {
            name: name.to_owned(),
            turn: tokio::sync::Mutex::default(),
            health: Mutex::default(),
        });
        controllers.retain(|_, controller| controller.strong_count() > 0);
        controllers.insert(name.to_owned(), Arc::downgrade(&controller));
        controller
    }
}

impl Controller {
    /// Speaks to the device when it is this caller's turn.
    ///
    /// # Errors
    /// The driver's; [`Error::Unreachable`] at once while the way is closed.
    pub async fn speak<T, F>(&self, words: impl FnOnce() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let _turn = self.turn.lock().await;
        self.check_open()?;
        let answer = words().await;
        self.learn(answer.as_ref().err());
        answer
    }

    /// Whether it is spoken to at present.
    pub fn is_open(&self) -> bool {
        self.check_open().is_ok()
    }

    fn check_open(&self) -> Result<(), Error> {
        let health = self.health.lock();
        match health.closed_until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(left) if !left.is_zero() => {
                let (silences, last) = (health.silences, &health.last);
                let seconds = left.as_secs() + 1;
                let why = format!(
                    "it failed {silences} times in a row and is tried again in {seconds} s; the last time: {last}"
                );
                Err(Error::Unreachable { device: self.name.clone(), why })
            }
            _ => Ok(()),
        }
    }

    fn learn(&self, error: Option<&Error>) {
        let mut health = self.health.lock();
        match error {
            Some(error @ (Error::Silent { .. } | Error::Unreachable { .. })) => {
                health.last = error.to_string();
                health.silences += 1;
                if health.silences >= PATIENCE {
                    let pause =
                        PAUSE.0 * 2_u32.saturating_pow((health.silences - PATIENCE).min(10));
                    health.closed_until = Some(Instant::now() + jittered(pause.min(PAUSE.1)));
                }
            }
            _ => *health = Health::default(),
        }
    }
}

/// A quarter more or less, so that not all controllers of a rack are tried in the same instant.
fn jittered(pause: Duration) -> Duration {
    let quarter = pause.as_millis() as u64 / 4;
    let random = RandomState::new().hash_one(0) % (2 * quarter + 1);
    pause - Duration::from_millis(quarter) + Duration::from_millis(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent() -> Error {
        Error::Silent { device: "poe".to_owned(), limit: Duration::from_secs(1) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_controller_is_left_in_peace_for_a_while() {
        let controller = Controllers::default().get("poe");
        for _ in 0..PATIENCE {
            assert_eq!(controller.speak(async || Err::<(), _>(silent())).await, Err(silent()));
        }
        let refused = controller.speak(async || Ok(())).await.expect_err("the way is closed");
        assert!(refused.to_string().contains("failed 3 times"), "{refused}");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(controller.speak(async || Ok(1)).await, Ok(1));
        assert_eq!(controller.speak(async || Ok(2)).await, Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn one_speaks_at_a_time_and_another_controller_does_not_wait() {
        let controllers = Controllers::default();
        let (a, b) = (controllers.get("a"), controllers.get("b"));
        let began = Instant::now();
        let slow = || async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            Ok(Instant::now())
        };
        let (first, second, other) = tokio::join!(a.speak(slow), a.speak(slow), b.speak(slow));
        let after = |end: Result<Instant, Error>| (end.expect("speaks") - began).as_secs();
        assert_eq!((after(first), after(second), after(other)), (5, 10, 5));
    }
}
