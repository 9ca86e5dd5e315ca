//! Finding a name by some of its letters, in order: `rk7` finds `rk3588-7`.

/// How well the letters fit, if all of them are there: more is better. Letters that follow each other
/// and letters that begin a word count for more; what is left over counts against.
pub fn score(letters: &str, name: &str) -> Option<i32> {
    let name: Vec<char> = name.to_lowercase().chars().collect();
    let (mut score, mut at) = (0, 0);
    for letter in letters.to_lowercase().chars() {
        let found = at + name[at..].iter().position(|c| *c == letter)?;
        let begins = found == 0 || !name[found - 1].is_alphanumeric();
        score += 1 + 4 * i32::from(found == at) + 3 * i32::from(begins);
        at = found + 1;
    }
    Some(score * 8 - i32::try_from(name.len()).unwrap_or(i32::MAX / 2))
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
        assert_eq!(ranked("", ["b", "a"].map(str::to_owned)), ["b", "a"]);
    }
}
