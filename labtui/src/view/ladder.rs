//! Colours that a terminal has, for those that it has not: true, 240 and sixteen, sixteen, none.

use ratatui::style::Color;

use super::Colours;

/// The steps of the cube's sides.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The sixteen as most terminals show them.
const SIXTEEN: [(Color, [u8; 3]); 16] = [
    (Color::Black, [0, 0, 0]),
    (Color::Red, [205, 0, 0]),
    (Color::Green, [0, 205, 0]),
    (Color::Yellow, [205, 205, 0]),
    (Color::Blue, [0, 0, 238]),
    (Color::Magenta, [205, 0, 205]),
    (Color::Cyan, [0, 205, 205]),
    (Color::Gray, [229, 229, 229]),
    (Color::DarkGray, [127, 127, 127]),
    (Color::LightRed, [255, 0, 0]),
    (Color::LightGreen, [0, 255, 0]),
    (Color::LightYellow, [255, 255, 0]),
    (Color::LightBlue, [92, 92, 255]),
    (Color::LightMagenta, [255, 0, 255]),
    (Color::LightCyan, [0, 255, 255]),
    (Color::White, [255, 255, 255]),
];

/// The nearest colour that there is.
pub(super) fn fitted(colour: Color, colours: Colours) -> Color {
    match (colours, colour) {
        (Colours::None, _) => Color::Reset,
        (Colours::Indexed, Color::Rgb(red, green, blue)) => indexed([red, green, blue]),
        (Colours::Sixteen, Color::Rgb(red, green, blue)) => sixteen([red, green, blue]),
        (Colours::Sixteen, Color::Indexed(number)) => match SIXTEEN.get(usize::from(number)) {
            Some((named, _)) => *named,
            None => sixteen(rgb(number)),
        },
        (_, colour) => colour,
    }
}

fn distance(one: [u8; 3], other: [u8; 3]) -> u32 {
    let parts = one.iter().zip(other).map(|(a, b)| u32::from(a.abs_diff(b)));
    parts.map(|part| part * part).sum()
}

/// What one of the 240 beyond the sixteen looks like.
fn rgb(number: u8) -> [u8; 3] {
    match number {
        232.. => [8 + 10 * (number - 232); 3],
        _ => {
            let cube = usize::from(number - 16);
            [cube / 36, cube / 6 % 6, cube % 6].map(|step| STEPS[step])
        }
    }
}

/// The nearest corner of the cube, or the nearest grey, whichever is nearer.
fn indexed(colour: [u8; 3]) -> Color {
    let [red, green, blue] = colour.map(nearest_step);
    let sum: u32 = colour.iter().map(|part| u32::from(*part)).sum();
    let grey = (sum / 3).saturating_sub(3) / 10;
    let both = [16 + 36 * red + 6 * green + blue, 232 + u8::try_from(grey.min(23)).unwrap_or(23)];
    let nearest = both.into_iter().min_by_key(|number| distance(rgb(*number), colour));
    Color::Indexed(nearest.unwrap_or(16))
}

fn nearest_step(part: u8) -> u8 {
    let nearest = (0..6_u8).min_by_key(|step| STEPS[usize::from(*step)].abs_diff(part));
    nearest.unwrap_or(0)
}

fn sixteen(colour: [u8; 3]) -> Color {
    let nearest = SIXTEEN.iter().min_by_key(|(_, own)| distance(*own, colour));
    nearest.map_or(Color::Reset, |(named, _)| *named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_of_the_240_is_nearer_than_the_one_that_is_taken() {
        for red in (0..=255).step_by(15) {
            for green in (0..=255).step_by(17) {
                for blue in (0..=255).step_by(15) {
                    let colour = [red, green, blue];
                    let Color::Indexed(taken) = indexed(colour) else { panic!("{colour:?}") };
                    let least = (16..=255).map(|other| distance(rgb(other), colour)).min();
                    assert_eq!(Some(distance(rgb(taken), colour)), least, "{colour:?}");
                }
            }
        }
    }

    #[test]
    fn each_rung_has_the_nearest_colour_it_can() {
        let orange = Color::Rgb(255, 135, 0);
        assert_eq!(fitted(orange, Colours::All), orange);
        assert_eq!(fitted(orange, Colours::Indexed), Color::Indexed(208));
        assert_eq!(fitted(Color::Rgb(250, 250, 10), Colours::Sixteen), Color::LightYellow);
        assert_eq!(fitted(Color::Indexed(9), Colours::Sixteen), Color::LightRed);
        assert_eq!(fitted(Color::Indexed(231), Colours::Sixteen), Color::White);
        assert_eq!(fitted(Color::Indexed(232), Colours::Sixteen), Color::Black);
        assert_eq!(fitted(Color::Cyan, Colours::Indexed), Color::Cyan);
        for colour in [orange, Color::Cyan, Color::Indexed(40)] {
            assert_eq!(fitted(colour, Colours::None), Color::Reset);
        }
    }
}
