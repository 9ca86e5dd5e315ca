//! Looks as settings write them: `bold red`, `#ff8800 on black`, `underlined 208`.

use ratatui::style::{Color, Modifier, Style};

/// The colours that every terminal has by name.
const COLOURS: [(&str, Color); 17] = [
    ("default", Color::Reset),
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("grey", Color::Gray),
    ("dark-grey", Color::DarkGray),
    ("light-red", Color::LightRed),
    ("light-green", Color::LightGreen),
    ("light-yellow", Color::LightYellow),
    ("light-blue", Color::LightBlue),
    ("light-magenta", Color::LightMagenta),
    ("light-cyan", Color::LightCyan),
    ("white", Color::White),
];

/// What letters can be besides coloured.
const WEIGHTS: [(&str, Modifier); 5] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underlined", Modifier::UNDERLINED),
    ("reversed", Modifier::REVERSED),
];

/// A word that is neither a colour nor anything else that letters can be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no colour")]
pub struct BadStyle(pub String);

/// A look from its words. What is behind the letters comes after `on`.
///
/// # Errors
/// The first word that means nothing.
pub fn style(text: &str) -> Result<Style, BadStyle> {
    let (mut style, mut behind) = (Style::new(), false);
    for word in text.split_whitespace() {
        let weight = WEIGHTS.iter().find(|(name, _)| *name == word);
        match (word, weight) {
            ("on", _) => behind = true,
            (_, Some((_, weight))) => style = style.add_modifier(*weight),
            (_, None) if behind => style = style.bg(colour(word)?),
            (_, None) => style = style.fg(colour(word)?),
        }
    }
    Ok(style)
}

/// Every word that a look can be written with, but for numbers.
pub fn words() -> impl Iterator<Item = &'static str> {
    let weights = WEIGHTS.iter().map(|(name, _)| *name);
    COLOURS.iter().map(|(name, _)| *name).chain(weights)
}

fn colour(word: &str) -> Result<Color, BadStyle> {
    let bad = || BadStyle(word.to_owned());
    if let Some((_, colour)) = COLOURS.iter().find(|(name, _)| *name == word) {
        return Ok(*colour);
    }
    match word.strip_prefix('#') {
        Some(hex) if hex.len() == 6 => {
            let number = u32::from_str_radix(hex, 16).map_err(|_| bad())?;
            let [_, red, green, blue] = number.to_be_bytes();
            Ok(Color::Rgb(red, green, blue))
        }
        _ => word.parse().map(Color::Indexed).map_err(|_| bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_read_from_its_words() {
        let red = Style::new().fg(Color::Red);
        assert_eq!(style("red"), Ok(red));
        assert_eq!(
            style("bold red on 17"),
            Ok(red.bg(Color::Indexed(17)).add_modifier(Modifier::BOLD))
        );
        assert_eq!(style("#ff8000"), Ok(Style::new().fg(Color::Rgb(255, 128, 0))));
        assert_eq!(style(""), Ok(Style::new()));
        for bad in ["rde", "#ff80", "#gg0000", "256", "bold on rde"] {
            assert!(style(bad).is_err(), "{bad}");
        }
    }
}
