//! The nearest known spelling of a word that somebody mistyped: one measure, so that every hint guesses
//! alike.

/// Longer words are not compared: nobody mistypes a known word into so many characters, and the comparison is
/// quadratic.
const LONGEST: usize = 40;

/// The candidate that `found` most likely means, if any is near: one edit in three characters, a swap
/// counting one.
#[must_use]
pub fn nearest<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if found.is_empty() || found.len() > LONGEST {
        return None;
    }
    let found = found.to_ascii_lowercase();
    let allowed = (found.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&found, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_word_and_another_word_finds_none() {
        let keys = ["read", "write", "hosts", "limit"];
        assert_eq!(nearest("host", keys), Some("hosts"));
        assert_eq!(nearest("wriet", keys), Some("write"));
        assert_eq!(nearest("Limit", keys), Some("limit"));
        assert_eq!(nearest("exec", keys), None);
        assert_eq!(nearest("", keys), None);
        assert_eq!(nearest(&"h".repeat(10_000), keys), None);
    }
}
