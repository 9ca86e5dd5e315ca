//! How things look, by what they mean.

use protocol::board::State;
use protocol::power::PowerState;
use ratatui::style::{Color, Modifier, Style};

use crate::notice::Tone;

/// What matters less.
pub(super) const QUIET: Style = Style::new().fg(Color::DarkGray);
/// What is bad or about to be.
pub(super) const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
/// What needs attention.
pub(super) const WARNING: Style = Style::new().fg(Color::Yellow);
/// What is well.
pub(super) const GOOD: Style = Style::new().fg(Color::Green);
/// Headings and names.
pub(super) const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
/// A key that can be pressed.
pub(super) const KEY: Style = Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD);
/// What the next key is about. It takes all colours away: reversed ones are hard to read.
pub(super) const MARKED: Style =
    Style::new().fg(Color::Reset).bg(Color::Reset).add_modifier(Modifier::REVERSED);
/// The bar that says the lab is not there: amber.
pub(super) const BANNER: Style =
    Style::new().fg(Color::Black).bg(Color::Yellow).add_modifier(Modifier::BOLD);
/// What may have changed since.
pub(super) const STALE: Style = Style::new().add_modifier(Modifier::DIM);
/// The header and the status line of a console.
pub(super) const BAR: Style = Style::new().add_modifier(Modifier::REVERSED);

/// A state, with a sign beside its word.
pub(super) fn state(state: State) -> (&'static str, Style) {
    match state {
        State::Free => ("○", GOOD),
        State::Held => ("●", Style::new()),
        State::Preparing | State::Releasing => ("◐", WARNING),
        State::Gone | State::Unknown => ("?", WARNING),
    }
}

/// Power.
pub(super) fn power(power: PowerState) -> Style {
    match power {
        PowerState::On => GOOD,
        PowerState::Off | PowerState::None => QUIET,
        PowerState::Unknown => WARNING,
    }
}

/// A notice.
pub(super) fn tone(tone: Tone) -> Style {
    match tone {
        Tone::Done => GOOD,
        Tone::News => WARNING,
        Tone::Failed => BAD,
    }
}

/// A pane's border.
pub(super) fn border(focused: bool) -> Style {
    if focused { Style::new().fg(Color::Cyan) } else { QUIET }
}
