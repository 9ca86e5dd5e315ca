//! Which of some consoles that should print the same print something else.
//!
//! A line is usual if more than half of the screens have it among their last [`LINES`]. A screen is
//! like the others if all its lines are usual and it lacks none; where its lines stand, and in which
//! order, does not matter, so that one that is a line ahead differs in that line alone. The board's
//! own name, and the time that a kernel puts before its lines, count for nothing.

use std::collections::{BTreeMap, BTreeSet};

/// How many lines are compared, back from the last that is not empty.
pub const LINES: usize = 16;

/// How a screen differs from most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Its rows that most others do not have.
    pub odd: Vec<usize>,
    /// How many lines it lacks that most others have.
    pub lacks: usize,
}

impl Difference {
    /// Whether there is one.
    pub fn is_any(&self) -> bool {
        !self.odd.is_empty() || self.lacks > 0
    }
}

/// How each screen differs from most of them; each is a board's name and the rows of its screen.
pub fn compare(screens: &[(&str, Vec<String>)]) -> Vec<Difference> {
    let last: Vec<Vec<(usize, String)>> =
        screens.iter().map(|(board, rows)| last_lines(board, rows)).collect();
    let sets: Vec<BTreeSet<&str>> =
        last.iter().map(|lines| lines.iter().map(|(_, line)| line.as_str()).collect()).collect();
    let mut counts = BTreeMap::<&str, usize>::new();
    for line in sets.iter().flatten() {
        *counts.entry(line).or_default() += 1;
    }
    counts.retain(|_, count| *count * 2 > screens.len());
    let difference = |(lines, set): (&Vec<(usize, String)>, &BTreeSet<&str>)| {
        let odd = lines.iter().filter(|(_, line)| !counts.contains_key(line.as_str()));
        let lacks = counts.keys().filter(|line| !set.contains(*line)).count();
        Difference { odd: odd.map(|(row, _)| *row).collect(), lacks }
    };
    last.iter().zip(&sets).map(difference).collect()
}

/// The last lines that are not empty, each with its row, without what differs by nature.
fn last_lines(board: &str, rows: &[String]) -> Vec<(usize, String)> {
    let end = rows.iter().rposition(|row| !row.trim().is_empty()).map_or(0, |last| last + 1);
    let last = rows[..end].iter().enumerate().skip(end.saturating_sub(LINES));
    let bare = |(row, line): (usize, &String)| (row, untimed(line).replace(board, "BOARD"));
    last.map(bare).filter(|(_, line)| !line.is_empty()).collect()
}

/// A line without `[   12.345678] ` before it.
fn untimed(line: &str) -> &str {
    let line = line.trim_end();
    let Some((time, rest)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) else {
        return line;
    };
    match time.trim().parse::<f64>() {
        Ok(_) => rest.trim_start(),
        Err(_) => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(screens: &[(&str, &str)]) -> Vec<Difference> {
        let rows = |text: &str| text.lines().map(str::to_owned).collect();
        let screens: Vec<(&str, Vec<String>)> =
            screens.iter().map(|(board, text)| (*board, rows(text))).collect();
        compare(&screens)
    }

    fn odd(rows: &[usize], lacks: usize) -> Difference {
        Difference { odd: rows.to_vec(), lacks }
    }

    #[test]
    fn the_one_that_differs_is_found_by_its_lines() {
        let all = [
            ("a", "one\ntwo\nthree"),
            ("b", "one\ntwo\nthree"),
            ("c", "one\n2\nthree"),
            ("d", "one\ntwo\nthree\n\n"),
        ];
        assert_eq!(differences(&all), [odd(&[], 0), odd(&[], 0), odd(&[1], 1), odd(&[], 0)]);
    }

    #[test]
    fn where_a_line_stands_does_not_matter() {
        let all = [("a", "one\ntwo"), ("b", "\n\none\n\ntwo"), ("c", "one\ntwo\nthree")];
        assert_eq!(differences(&all), [odd(&[], 0), odd(&[], 0), odd(&[2], 0)]);
    }

    #[test]
    fn names_and_kernel_times_count_for_nothing() {
        let all = [
            ("rpi4-1", "[    1.20] usb 1-1: new\nroot@rpi4-1:~#"),
            ("rpi4-2", "[    1.31] usb 1-1: new\nroot@rpi4-2:~#"),
        ];
        assert_eq!(differences(&all), [odd(&[], 0), odd(&[], 0)]);
        let all = [("a", "[ OK ] net"), ("b", "[FAILED] net")];
        assert_eq!(differences(&all), [odd(&[0], 0), odd(&[0], 0)]);
    }

    /// Half is not most: where two and two agree, nobody can say which two are wrong.
    #[test]
    fn without_a_majority_all_differ() {
        let all = [("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")];
        assert!(differences(&all).iter().all(Difference::is_any));
        assert_eq!(differences(&[("a", "x")]), [odd(&[], 0)]);
        assert_eq!(differences(&[]), []);
        assert_eq!(differences(&[("a", ""), ("b", "")]), [odd(&[], 0), odd(&[], 0)]);
    }

    #[test]
    fn what_was_long_ago_is_not_compared() {
        let tail: Vec<String> = (0..LINES).map(|n| format!("line {n}")).collect();
        let (one, other) = (format!("x\n{}", tail.join("\n")), format!("y\n{}", tail.join("\n")));
        assert_eq!(differences(&[("a", &one), ("b", &other)]), [odd(&[], 0), odd(&[], 0)]);
    }
}
