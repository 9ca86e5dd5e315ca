//! The lines of a segment, and the text of each.
//!
//! A segment is read in blocks. A line ends at its newline, or where a block ends that has none: so what
//! the lines of a block are, it and the one before it tell. A line belongs to the block in which it ends.
//!
//! The text of a line is what [`plain`] leaves of it. No escape sequence outlasts a newline, so a line
//! means the same whatever came before.

use std::borrow::Cow;
use std::io;
use std::os::unix::fs::FileExt;

use protocol::text::plain;

/// The length of a block.
pub const BLOCK: u64 = 64 * 1024;
/// A line that began in the block before mostly began this little before.
const NEAR: u64 = 1024;

/// How many blocks a segment of that length has.
pub fn blocks(length: u64) -> u64 {
    length.div_ceil(BLOCK)
}

/// The lines that belong to a block.
#[derive(Debug)]
pub struct Lines {
    /// Where in the segment they begin.
    start: u64,
    bytes: Vec<u8>,
}

impl Lines {
    /// Reads those of a block of a segment of that length.
    ///
    /// # Errors
    /// The disk's.
    pub fn read(segment: &impl FileExt, length: u64, block: u64) -> io::Result<Lines> {
        let start = block * BLOCK;
        let end = length.min(start + BLOCK);
        let mut bytes = head(segment, start)?;
        let own = bytes.len();
        bytes.extend_from_slice(&read(segment, start, end)?);
        if end < length
            && let Some(newline) = last_newline(&bytes[own..])
        {
            bytes.truncate(own + newline + 1);
        }
        Ok(Lines { start: start - own as u64, bytes })
    }

    /// Each line's place in the segment, and its bytes without the newline.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut at = self.start;
        self.bytes.split_inclusive(|byte| *byte == b'\n').map(move |line| {
            let start = at;
            at += line.len() as u64;
            (start, line.strip_suffix(b"\n").unwrap_or(line))
        })
    }
}

/// What belongs to the lines of a block and stands before it.
fn head(segment: &impl FileExt, start: u64) -> io::Result<Vec<u8>> {
    for reach in [NEAR, BLOCK] {
        let mut before = read(segment, start - reach.min(start), start)?;
        if let Some(newline) = last_newline(&before) {
            return Ok(before.split_off(newline + 1));
        }
    }
    Ok(Vec::new())
}

fn read(segment: &impl FileExt, start: u64, end: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(end - start).map_err(io::Error::other)?];
    segment.read_exact_at(&mut bytes, start)?;
    Ok(bytes)
}

fn last_newline(bytes: &[u8]) -> Option<usize> {
    bytes.iter().rposition(|byte| *byte == b'\n')
}

/// The text of a line.
pub fn text(line: &[u8]) -> Cow<'_, str> {
    // Most lines are ASCII between carriage returns, and come out of `plain` as they are.
    let is_inside = |byte: &u8| *byte != b'\r';
    let start = line.iter().position(is_inside).unwrap_or(line.len());
    let end = line.iter().rposition(is_inside).map_or(start, |last| last + 1);
    match str::from_utf8(&line[start..end]) {
        Ok(text) if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => {
            Cow::Borrowed(text.trim_end())
        }
        _ => Cow::Owned(plain(line, usize::MAX)),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// What consoles print, and worse: few letters, so that they meet.
    pub(in crate::journal) fn piece() -> impl Strategy<Value = Vec<u8>> {
        let lone = [
            "\n",
            "\r\n",
            "\n",
            "\r",
            "\x08",
            "\t",
            "\x1b[31m",
            "\x1b[0m",
            "\x1b[2K",
            "\x1b]0;t\x07",
            "\x1b",
            "\0",
            "é",
            "\u{212a}",
            "\u{17f}",
            "\u{202e}",
            "K",
            "s",
            "  ",
            "Ab",
            "ab",
            "abc",
            "0x1f",
        ];
        prop_oneof![
            8 => proptest::sample::select(lone.map(|text| text.as_bytes().to_vec()).to_vec()),
            4 => "[abcABC ]{1,9}".prop_map(String::into_bytes),
            1 => vec(any::<u8>(), 1..4),
        ]
    }

    /// A segment of a few blocks, with lines of any length.
    pub(in crate::journal) fn segment() -> impl Strategy<Value = Vec<u8>> {
        let stretch = (vec(piece(), 1..12), 1_usize..2_000);
        vec(stretch, 0..8).prop_map(|stretches| {
            stretches.iter().flat_map(|(pieces, times)| pieces.concat().repeat(*times)).collect()
        })
    }

    /// Every line of a segment, from the front: the same rule, told the other way round.
    pub(in crate::journal) fn all_lines(segment: &[u8]) -> Vec<(u64, &[u8])> {
        let (mut lines, mut start) = (Vec::new(), 0);
        for (at, byte) in segment.iter().enumerate() {
            let block = &segment[at - at % BLOCK as usize..=at];
            let is_cut = block.len() as u64 == BLOCK && !block.contains(&b'\n');
            if *byte == b'\n' || is_cut || at + 1 == segment.len() {
                let end = at + usize::from(*byte != b'\n');
                lines.push((start as u64, &segment[start..end]));
                start = at + 1;
            }
        }
        lines
    }

    /// A file in memory.
    pub(in crate::journal) struct Bytes<'a>(pub(in crate::journal) &'a [u8]);

    impl FileExt for Bytes<'_> {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            io::Read::read(&mut &self.0[offset as usize..], buffer)
        }

        fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
            Err(io::ErrorKind::ReadOnlyFilesystem.into())
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        /// Blocks have every line once, whatever its length.
        #[test]
        fn a_line_belongs_to_one_block(bytes in segment()) {
            let length = bytes.len() as u64;
            let mut lines = Vec::new();
            for block in 0..blocks(length) {
                let own = Lines::read(&Bytes(&bytes), length, block).expect("reads");
                lines.extend(own.iter().map(|(at, line)| (at, line.to_vec())));
            }
            let all: Vec<_> = all_lines(&bytes).into_iter().map(|(at, line)| (at, line.to_vec())).collect();
            prop_assert_eq!(lines, all);
        }

        /// The short way to a text leads where the long one does.
        #[test]
        fn the_text_of_a_line_is_what_plain_leaves(pieces in vec(piece(), 0..9)) {
            let bytes = pieces.concat();
            for line in bytes.split(|byte| *byte == b'\n') {
                prop_assert_eq!(text(line), plain(line, usize::MAX));
            }
        }
    }

    #[test]
    fn what_is_between_the_letters_hides_nothing() {
        assert_eq!(text(b"\x1b[1mKernel\x1b[0m pan\x1b[31mic\r\r"), "Kernel panic");
        assert_eq!(text(b"\rload 10%\rload 20%"), "load 20%");
    }
}
