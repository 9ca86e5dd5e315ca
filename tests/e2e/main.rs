//! What people do with a lab, told from the outside: one module per part of the story.

#![allow(clippy::unwrap_used, reason = "a story ends where it goes wrong")]

mod audit;
mod boots;
mod consoles;
mod crashes;
mod doors;
mod etiquette;
mod flood;
mod handover;
mod hidden;
mod journal;
mod keep;
mod keys;
mod links;
mod login;
mod matrix;
mod memory;
mod metrics;
mod people;
mod power;
mod queue;
mod reload;
mod replay;
mod reserve;
mod rest;
mod screens;
mod search;
mod secrets;
mod sending;
mod setup;
mod silence;
mod table;
mod tls;
mod triggers;
mod typing;

use std::time::Duration;

/// The middle one.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
