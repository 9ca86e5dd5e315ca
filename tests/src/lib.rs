//! What the story tests have in common: stand-ins for hardware, chance, and what crashes are made of.

pub mod acks;
pub mod dice;
pub mod mib;
pub mod op;
pub mod settings;
pub mod switch;
pub mod trace;
