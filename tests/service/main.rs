//! labd under a service manager.

#![allow(clippy::unwrap_used, reason = "a story ends where it goes wrong")]

mod board;
mod kept;
mod labd;
mod restarts;
mod said;
mod units;
