//! How things look, by what they mean. No state is told by its colour alone.

use ratatui::style::{Color, Modifier, Style};

mod words;

pub use words::{BadStyle, style, words};

/// The looks that labtui comes with.
pub const NAMES: [&str; 6] = ["auto", "dark", "light", "high-contrast", "colour-blind", "mono"];

/// What the terminal's own background is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Background {
    /// Dark, or not known.
    #[default]
    Dark,
    /// Light.
    Light,
}

/// A look, and what is different from it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// One of [`NAMES`]; the first if nothing is said.
    pub name: Option<&'static str>,
    /// A role, and how it looks instead.
    pub changes: Vec<(&'static str, Style)>,
}

/// A look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// All that is nothing else.
    pub text: Style,
    /// What matters less.
    pub quiet: Style,
    /// What is bad or about to be.
    pub bad: Style,
    /// What needs attention.
    pub warning: Style,
    /// What is well.
    pub good: Style,
    /// Headings and names.
    pub strong: Style,
    /// A key that can be pressed.
    pub key: Style,
    /// What the next key is about.
    pub selected: Style,
    /// The bar that says the lab is not there.
    pub banner: Style,
    /// What may have changed since.
    pub stale: Style,
    /// The status line of a console.
    pub bar: Style,
    /// The border of the pane that keys go to.
    pub focus: Style,
    /// The border of any other.
    pub border: Style,
}

/// What has a look of its own.
pub const ROLES: [&str; 13] = [
    "text", "quiet", "bad", "warning", "good", "strong", "key", "selected", "banner", "stale",
    "bar", "focus", "border",
];

const PLAIN: Style = Style::new();
const BOLD: Style = PLAIN.add_modifier(Modifier::BOLD);

const fn ink(rgb: u32) -> Style {
    PLAIN.fg(colour(rgb))
}

const fn colour(rgb: u32) -> Color {
    let [_, red, green, blue] = rgb.to_be_bytes();
    Color::Rgb(red, green, blue)
}

/// No colour at all: words, signs and weight.
const MONO: Theme = Theme {
    text: PLAIN,
    quiet: PLAIN,
    bad: BOLD,
    warning: PLAIN,
    good: PLAIN,
    strong: BOLD,
    key: BOLD,
    // It takes all colours away: reversed ones are hard to read.
    selected: PLAIN.fg(Color::Reset).bg(Color::Reset).add_modifier(Modifier::REVERSED),
    banner: BOLD.add_modifier(Modifier::REVERSED),
    stale: PLAIN.add_modifier(Modifier::DIM),
    bar: PLAIN.add_modifier(Modifier::REVERSED),
    focus: BOLD,
    border: PLAIN,
};

/// The terminal's own sixteen colours, which its owner has chosen.
const DARK: Theme = Theme {
    quiet: PLAIN.fg(Color::DarkGray),
    bad: BOLD.fg(Color::Red),
    warning: PLAIN.fg(Color::Yellow),
    good: PLAIN.fg(Color::Green),
    key: BOLD.fg(Color::Cyan),
    banner: BOLD.fg(Color::Black).bg(Color::Yellow),
    focus: PLAIN.fg(Color::Cyan),
    border: PLAIN.fg(Color::DarkGray),
    ..MONO
};

const LIGHT: Theme = Theme {
    quiet: ink(0x5f_5f_5f),
    bad: BOLD.fg(colour(0xa8_00_00)),
    warning: ink(0x7a_4b_00),
    good: ink(0x00_66_2b),
    key: BOLD.fg(colour(0x00_52_87)),
    banner: BOLD.fg(Color::Black).bg(Color::Yellow),
    focus: ink(0x00_52_87),
    border: ink(0x76_76_76),
    ..MONO
};

const HIGH_CONTRAST: Theme = Theme {
    text: PLAIN.fg(colour(0xff_ff_ff)).bg(colour(0)),
    quiet: ink(0xff_ff_ff),
    bad: BOLD.fg(colour(0xff_ff_ff)).bg(colour(0x9c_00_00)),
    warning: BOLD.fg(colour(0xff_ff_00)),
    good: BOLD.fg(colour(0x5c_ff_5c)),
    key: BOLD.fg(colour(0x5c_ff_ff)),
    banner: BOLD.fg(colour(0)).bg(colour(0xff_ff_00)),
    focus: BOLD.fg(colour(0xff_ff_00)),
    border: ink(0xff_ff_ff),
    ..MONO
};

/// Blue, orange and yellow: what the eye of every kind tells apart.
const COLOUR_BLIND: Theme = Theme {
    quiet: ink(0x99_99_99),
    bad: BOLD.fg(colour(0xff_8a_4c)),
    warning: ink(0xf0_e4_42),
    good: ink(0x56_b4_e9),
    key: BOLD.fg(colour(0xcc_ac_c6)),
    banner: BOLD.fg(colour(0)).bg(colour(0xf0_e4_42)),
    focus: ink(0xf0_e4_42),
    border: ink(0x99_99_99),
    ..MONO
};

const COLOUR_BLIND_ON_LIGHT: Theme = Theme {
    quiet: ink(0x5f_5f_5f),
    bad: BOLD.fg(colour(0x8a_1c_00)),
    warning: ink(0x7a_68_00),
    good: ink(0x00_5a_9c),
    key: BOLD.fg(colour(0x7a_2a_66)),
    banner: BOLD.fg(colour(0)).bg(colour(0xf0_e4_42)),
    focus: ink(0x00_5a_9c),
    border: ink(0x76_76_76),
    ..MONO
};

impl Choice {
    /// The look itself.
    pub fn theme(&self, background: Background) -> Theme {
        let mut theme = Theme::named(self.name.unwrap_or(NAMES[0]), background);
        for (role, style) in &self.changes {
            if let Some(own) = theme.role(role) {
                *own = *style;
            }
        }
        theme
    }
}

impl Theme {
    /// A look by its name, on such a background.
    pub fn named(name: &str, background: Background) -> Theme {
        match (name, background) {
            ("light", _) | ("auto", Background::Light) => LIGHT,
            ("high-contrast", _) => HIGH_CONTRAST,
            ("colour-blind", Background::Dark) => COLOUR_BLIND,
            ("colour-blind", Background::Light) => COLOUR_BLIND_ON_LIGHT,
            ("mono", _) => MONO,
            _ => DARK,
        }
    }

    /// How one of [`ROLES`] looks.
    pub fn role(&mut self, name: &str) -> Option<&mut Style> {
        Some(match name {
            "text" => &mut self.text,
            "quiet" => &mut self.quiet,
            "bad" => &mut self.bad,
            "warning" => &mut self.warning,
            "good" => &mut self.good,
            "strong" => &mut self.strong,
            "key" => &mut self.key,
            "selected" => &mut self.selected,
            "banner" => &mut self.banner,
            "stale" => &mut self.stale,
            "bar" => &mut self.bar,
            "focus" => &mut self.focus,
            "border" => &mut self.border,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOKS: [(&str, Background, f64); 4] = [
        ("light", Background::Light, 4.5),
        ("high-contrast", Background::Dark, 7.0),
        ("colour-blind", Background::Dark, 4.5),
        ("colour-blind", Background::Light, 4.5),
    ];

    fn rgb(colour: Option<Color>) -> Option<[f64; 3]> {
        match colour? {
            Color::Rgb(red, green, blue) => {
                Some([red, green, blue].map(|it| f64::from(it) / 255.0))
            }
            _ => None,
        }
    }

    fn linear(part: f64) -> f64 {
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    }

    fn luminance([red, green, blue]: [f64; 3]) -> f64 {
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    /// As the guidelines for the web count it: 1 is nothing, 21 is black on white.
    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        one.max(other) / one.min(other)
    }

    #[test]
    fn every_colour_can_be_read_on_its_background() {
        for (name, background, least) in LOOKS {
            let mut theme = Theme::named(name, background);
            let own = if background == Background::Light { [1.0; 3] } else { [0.0; 3] };
            for role in ROLES.into_iter().filter(|role| *role != "banner") {
                let style = theme.role(role).unwrap();
                let Some(ink) = rgb(style.fg) else { continue };
                let seen = contrast(ink, rgb(style.bg).unwrap_or(own));
                assert!(seen >= least, "{name}: {role} on {background:?} has {seen:.1}");
            }
        }
    }

    /// What is left of a colour for who has no red, or no green, cones; after Viénot, Brettel and Mollon.
    fn seen(colour: [f64; 3], kind: [[f64; 3]; 3]) -> [f64; 3] {
        let light = colour.map(linear);
        kind.map(|row| row.iter().zip(light).map(|(part, it)| part * it).sum())
    }

    #[test]
    fn good_warning_and_bad_are_three_colours_to_every_eye() {
        let protan = [[0.1124, 0.8876, 0.0], [0.1124, 0.8876, 0.0], [0.0040, -0.0040, 1.0]];
        let deutan = [[0.2928, 0.7072, 0.0], [0.2928, 0.7072, 0.0], [-0.0223, 0.0223, 1.0]];
        for background in [Background::Dark, Background::Light] {
            let theme = Theme::named("colour-blind", background);
            let all = [theme.good, theme.warning, theme.bad].map(|it| rgb(it.fg).unwrap());
            for kind in [protan, deutan] {
                let [good, warning, bad] = all.map(|colour| seen(colour, kind));
                for (one, other) in [(good, warning), (good, bad), (warning, bad)] {
                    let apart: f64 = one.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum();
                    assert!(apart.sqrt() > 0.05, "{one:?} {other:?} on {background:?}");
                }
            }
        }
    }

    #[test]
    fn mono_has_no_colour_and_every_role_can_be_changed() {
        let mut mono = Theme::named("mono", Background::Dark);
        for role in ROLES {
            let own = *mono.role(role).unwrap();
            let none = |colour| matches!(colour, None | Some(Color::Reset));
            assert!(none(own.fg) && none(own.bg), "{role}");
            let style = style("bold red on blue").unwrap();
            let choice = Choice { name: Some("mono"), changes: vec![(role, style)] };
            assert_eq!(choice.theme(Background::Dark).role(role), Some(&mut style.clone()));
        }
        assert_eq!(mono.role("colour"), None);
    }
}
