//! What is counted for whoever watches the lab: see [`crate::http::metrics`].

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use protocol::client::Call;

use super::Lab;

/// What a number is of.
pub type Labels = Vec<(&'static str, String)>;

/// Seconds within which calls are answered: most of them at once, a power cycle after some, a setup script
/// after many.
const WITHIN: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 10.0, 60.0, 600.0];

/// What has been counted since the daemon started.
#[derive(Debug, Clone)]
pub struct Counts {
    /// By call, and whether it was done.
    pub calls: Family<Labels, Counter>,
    /// How long each took, in seconds.
    pub seconds: Family<Labels, Histogram, fn() -> Histogram>,
}

impl Default for Counts {
    fn default() -> Counts {
        let seconds = Family::new_with_constructor((|| Histogram::new(WITHIN)) as fn() -> _);
        Counts { calls: Family::default(), seconds }
    }
}

impl Lab {
    /// What has been counted.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// A call was answered.
    pub fn called(&self, call: Call, is_done: bool, took: Duration) {
        let call = ("call", call.name().to_owned());
        let outcome = if is_done { "done" } else { "refused" };
        let labels = vec![call.clone(), ("outcome", outcome.to_owned())];
        self.counts.calls.get_or_create(&labels).inc();
        self.counts.seconds.get_or_create(&vec![call]).observe(took.as_secs_f64());
    }
}
