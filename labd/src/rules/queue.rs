//! In which order those who wait are served.
//!
//! Everybody's first ask comes before anybody's second: whoever asks for ten boards does not push
//! aside those who ask for one. Among equals, who came first is served first. A person's asks keep
//! their order, and each moves up as the one before it is served, so nobody waits for ever.

use std::collections::HashMap;

use protocol::user::UserName;

/// The indexes of those who wait, in the order in which they are served, given who they are in the
/// order in which they came.
pub fn order<'a>(who: impl Iterator<Item = &'a UserName>) -> Vec<usize> {
    let mut asks: HashMap<&UserName, usize> = HashMap::new();
    let mut ranked: Vec<(usize, usize)> = who
        .enumerate()
        .map(|(index, who)| {
            let earlier = asks.entry(who).or_default();
            *earlier += 1;
            (*earlier, index)
        })
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybodys_first_ask_comes_before_anybodys_second() {
        let names: Vec<UserName> = ["ci", "ci", "ci", "ada", "bob", "ada"]
            .iter()
            .map(|name| name.parse().expect("a name"))
            .collect();
        assert_eq!(order(names.iter()), [0, 3, 4, 1, 5, 2]);
    }
}
