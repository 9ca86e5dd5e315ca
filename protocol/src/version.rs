//! What each version of the words added, newest first.
//!
//! Both sides say which versions they speak in the first line and use the smaller of the two newest.
//! A client refuses, before it sends, a call that is younger than the daemon it talks to: an unknown
//! method would cost it the connection and every call in flight.

/// 1: boards, classes, holds and the queue, power, consoles, boots, triggers, journals, administration; accounts,
/// tokens and keys; searches, replays.
pub const VERSION: u32 = 1;

/// The oldest version this build still speaks.
pub const OLDEST: u32 = 1;
