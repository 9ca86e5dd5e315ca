//! Whether what was typed may be written down.
//!
//! A board that asks for a password does not echo it. So what was typed is written down only if the
//! board printed just that, letter after letter, and then ended the line; in doubt only that something
//! was typed, and how much. What it prints later, a greeting that has all the letters, is no echo.

#[cfg(test)]
mod tests;

/// What stood on the screen when somebody began to type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen<'a> {
    /// The line that was begun: a shell shows it again before it echoes what was typed ahead.
    pub prompt: &'a [u8],
    /// Whether the echo of other text was still to come.
    pub is_behind: bool,
}

/// One key, as far as its echo goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    /// Echoed as itself.
    Letter(u8),
    /// Takes the last letter back.
    Rubout,
    /// An arrow, a completion: the board draws the line as it likes.
    Edit,
    /// The line is entered.
    End,
}

/// How much of `printed`, which is [`Plain`], is the echo of `typed`; none if it was not echoed, or not
/// yet. Text without a line end is echoed only if nothing else was printed; text without a letter
/// needs no echo.
pub fn echo_of(typed: &[u8], printed: &[u8], screen: Screen<'_>) -> Option<usize> {
    let keys = keys(typed);
    if !keys.iter().any(|key| matches!(key, Key::Letter(_))) {
        return Some(0);
    }
    let (mut end, mut is_behind) = (0, screen.is_behind);
    for line in keys.split_inclusive(|key| *key == Key::End) {
        // Where the answer to a return came in two.
        end += usize::from(is_behind && printed.get(end) == Some(&b'\n'));
        let prompts = prompts(&printed[end..], screen.prompt).map(|after| end + after);
        let mut places = std::iter::once(end).chain(prompts.filter(|_| is_behind));
        end = places.find_map(|at| Some(at + line_of(line, &printed[at..])?))?;
        is_behind = true;
    }
    (keys.last() == Some(&Key::End) || end == printed.len()).then_some(end)
}

fn keys(typed: &[u8]) -> Vec<Key> {
    let (mut keys, mut escape) = (Vec::new(), Escape::None);
    for byte in typed {
        let key = match byte {
            _ if !escape.is_text(*byte) => Key::Edit,
            b'\r' | b'\n' => Key::End,
            0x08 | 0x7f => Key::Rubout,
            0..0x20 => Key::Edit,
            letter => Key::Letter(*letter),
        };
        if (key, keys.last()) != (Key::Edit, Some(&Key::Edit)) {
            keys.push(key);
        }
    }
    keys
}

/// The places behind each repetition of the prompt at the beginning of a line, as `printed` is of one.
fn prompts<'a>(printed: &'a [u8], prompt: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let is_line = |at: &usize| *at == 0 || matches!(printed[at - 1], b'\r' | b'\n');
    (0..printed.len())
        .filter(is_line)
        .filter(|at| !prompt.is_empty() && printed[*at..].starts_with(prompt))
        .map(|at| at + prompt.len())
}

/// How much of `printed` the echo of one line takes.
fn line_of(keys: &[Key], printed: &[u8]) -> Option<usize> {
    let (mut next, mut at) = (0, 0);
    // Behind which key the board draws as it likes, and how far it has, if the rest is to fit.
    let mut drawn = None;
    while let Some(key) = keys.get(next) {
        let rest = &printed[at..];
        let echo = match key {
            Key::Letter(letter) => letter_of(*letter, rest, next > 0),
            Key::Rubout => Some(rubout_of(rest)),
            Key::End => end_of(rest),
            Key::Edit => {
                drawn = Some((next + 1, at));
                Some(0)
            }
        };
        (next, at) = match echo {
            Some(bytes) => (next + 1, at + bytes),
            None => {
                let (behind, so_far) = drawn?;
                printed.get(so_far).filter(|byte| **byte != b'\n')?;
                drawn = Some((behind, so_far + 1));
                (behind, so_far + 1)
            }
        };
    }
    Some(at)
}

/// A letter as itself; where the line is full, readline goes to the next by `" \r"`, and busybox by
/// `" \b"`.
fn letter_of(letter: u8, printed: &[u8], may_wrap: bool) -> Option<usize> {
    let wraps = [&b" \r"[..], b" \x08"].into_iter().filter(|_| may_wrap);
    let wrapped = wraps.filter_map(|wrap| printed.strip_prefix(wrap)).next();
    match (wrapped, printed) {
        (Some([first, ..]), _) if *first == letter => Some(3),
        (_, [first, ..]) if *first == letter => Some(1),
        _ => None,
    }
}

/// `"\b \b"`; where a control sequence clears the rest, `"\b"`; on an empty line nothing.
fn rubout_of(printed: &[u8]) -> usize {
    match printed {
        [0x08, b' ', 0x08, ..] => 3,
        [0x08, ..] => 1,
        _ => 0,
    }
}

/// `"\r\n"`, or either.
fn end_of(printed: &[u8]) -> Option<usize> {
    let returns = printed.iter().take_while(|byte| **byte == b'\r').count();
    let feeds = usize::from(printed.get(returns) == Some(&b'\n'));
    Some(returns + feeds).filter(|end| *end > 0)
}

/// Lets through what a terminal would show or move by: no control sequences, no bells.
#[derive(Debug, Default)]
pub struct Plain(Escape);

impl Plain {
    /// Whether the next byte is such.
    pub fn lets(&mut self, byte: u8) -> bool {
        self.0.is_text(byte) && !matches!(byte, 0 | 0x07)
    }
}

/// How far into a control sequence a stream of bytes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Escape {
    #[default]
    None,
    /// Behind ESC.
    Begun,
    /// Behind ESC and `[` or `O`.
    Sequence,
}

impl Escape {
    /// Takes the next byte; whether it belongs to no sequence.
    fn is_text(&mut self, byte: u8) -> bool {
        let was = *self;
        *self = match (was, byte) {
            (_, 0x1b) => Escape::Begun,
            (Escape::Begun, b'[' | b'O') => Escape::Sequence,
            (Escape::Sequence, 0x20..=0x3f) => Escape::Sequence,
            // A sequence that is cut short ends with its line.
            (_, b'\r' | b'\n') => {
                *self = Escape::None;
                return true;
            }
            _ => Escape::None,
        };
        was == Escape::None && byte != 0x1b
    }
}
