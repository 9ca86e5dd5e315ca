//! How boards, notices and borders look, by how they are.

use protocol::board::State;
use protocol::power::PowerState;
use ratatui::style::Style;

use crate::notice::Tone;
use crate::theme::Theme;

impl Theme {
    /// A state, with a sign beside its word.
    pub(super) fn state(&self, state: State) -> (&'static str, Style) {
        match state {
            State::Free => ("○", self.good),
            State::Held => ("●", Style::new()),
            State::Preparing | State::Releasing => ("◐", self.warning),
            State::Gone | State::Unknown => ("?", self.warning),
        }
    }

    /// Power.
    pub(super) fn power(&self, power: PowerState) -> Style {
        match power {
            PowerState::On => self.good,
            PowerState::Off | PowerState::None => self.quiet,
            PowerState::Unknown => self.warning,
        }
    }

    /// A notice.
    pub(super) fn tone(&self, tone: Tone) -> Style {
        match tone {
            Tone::Done => self.good,
            Tone::News => self.warning,
            Tone::Failed => self.bad,
        }
    }

    /// A pane's border.
    pub(super) fn edge(&self, focused: bool) -> Style {
        if focused { self.focus } else { self.border }
    }
}
