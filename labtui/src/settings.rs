//! What somebody has made of labtui: `labtui.toml`, read at the start and again whenever it is saved.
//!
//! ```toml
//! theme = "light"             # or [theme], with a base and what is different from it
//! escape = "screen"           # how labtui is called from within a console
//! mouse = true
//!
//! [keys.boards]
//! power = ["p", "F5"]
//! ```

mod fault;
mod reader;
mod schema;

use crate::keys::KeyMap;
use crate::theme::Choice;

pub use fault::{Fault, nearest};
pub use schema::schema;

/// What somebody has made of labtui.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What keys do.
    pub keys: KeyMap,
    /// How things look.
    pub theme: Choice,
    /// Whether clicks and the wheel are labtui's.
    pub mouse: bool,
    /// Whether anything moves by itself, such as a countdown.
    pub motion: bool,
    /// Whether nothing can be changed in the lab.
    pub read_only: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            keys: KeyMap::default(),
            theme: Choice::default(),
            mouse: false,
            motion: true,
            read_only: false,
        }
    }
}

impl Settings {
    /// Reads the text of a settings file.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the file.
    pub fn read(text: &str) -> Result<Settings, Vec<Fault>> {
        let mut settings = Settings::default();
        let mut faults = reader::read(text, &mut settings);
        settings.keys.read_only = settings.read_only;
        faults.sort_by_key(|fault| (fault.line, fault.column));
        if faults.is_empty() { Ok(settings) } else { Err(faults) }
    }

    /// The same, for who only looks.
    pub fn read_only(mut self) -> Settings {
        (self.read_only, self.keys.read_only) = (true, true);
        self
    }
}
