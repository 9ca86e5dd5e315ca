//! Finding a name by some of its letters, in order: `rk7` finds `rk3588-7`.

/// How well the letters fit, if all of them are there: more is better. Letters that follow each other
/// and letters that begin or end a word count for more; what is left over counts against.
pub fn score(letters: &str, name: &str) -> Option<i32> {
    let letters: Vec<char> = letters.to_lowercase().chars().collect();
    let name: Vec<char> = name.to_lowercase().chars().collect();
    let (first, last) = (first(&letters, &name)?, last(&letters, &name)?);
    let better = worth(&first, &name).max(worth(&last, &name));
    Some(better * 8 - i32::try_from(name.len()).unwrap_or(i32::MAX / 2))
}

/// Where each letter is at the earliest.
fn first(letters: &[char], name: &[char]) -> Option<Vec<usize>> {
    let mut at = 0;
    let place = |letter: &char| {
        let found = at + name[at..].iter().position(|c| c == letter)?;
        at = found + 1;
        Some(found)
    };
    letters.iter().map(place).collect()
}

/// Where each letter is at the latest.
fn last(letters: &[char], name: &[char]) -> Option<Vec<usize>> {
    let mut end = name.len();
    let place = |letter: &char| {
        end = name[..end].iter().rposition(|c| c == letter)?;
        Some(end)
    };
    let mut places: Vec<usize> = letters.iter().rev().map(place).collect::<Option<_>>()?;
    places.reverse();
    Some(places)
}

fn worth(places: &[usize], name: &[char]) -> i32 {
    let joins = |at: usize| at == 0 || !name[at - 1].is_alphanumeric();
    let follows =
        |nth: usize| nth.checked_sub(1).is_none_or(|before| places[before] + 1 == places[nth]);
    let edges = |at: usize| joins(at) || at + 1 == name.len();
    let letter = |(nth, at): (usize, &usize)| {
        1 + 3 * i32::from(edges(*at)) + 4 * i32::from(follows(nth) && (nth > 0 || *at == 0))
    };
    places.iter().enumerate().map(letter).sum()
}

/// The names that have the letters, best first; those that fit as well as each other, as they came.
pub fn ranked(letters: &str, names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut found: Vec<(i32, String)> =
        names.into_iter().filter_map(|name| Some((score(letters, &name)?, name))).collect();
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    found.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_found_in_order_and_the_best_comes_first() {
        let names = ["rk3588-17", "rk3588-7", "rpi4-7", "console", "copy"].map(str::to_owned);
        assert_eq!(ranked("rk7", names.clone()), ["rk3588-7", "rk3588-17"]);
        assert_eq!(ranked("co", names.clone()), ["copy", "console"]);
        assert_eq!(ranked("oc", names.clone()), [] as [&str; 0]);
        assert_eq!(ranked("zc2", ["zcu102-1", "zcu102-2"].map(str::to_owned))[0], "zcu102-2");
        assert_eq!(ranked("", ["b", "a"].map(str::to_owned)), ["b", "a"]);
    }
}
