//! What the story tests have in common: stand-ins for hardware.

pub mod mib;
pub mod settings;
pub mod switch;
