//! labtui, tried from outside: whole screens, every key, hostile boards, broken connections, and the
//! real program in a real terminal.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod calendar;
mod fake;
mod feeds;
mod grid;
mod hostile;
mod keys;
mod office;
mod others;
mod past;
mod pty;
mod rows;
mod sample;
mod screens;
mod stories;
mod updates;
