//! The lab's doors, opened from the outside with the programs that people have.

#![allow(clippy::unwrap_used, reason = "a story ends where it goes wrong")]

mod doorstep;
mod https;
mod ssh;
