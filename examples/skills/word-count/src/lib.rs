//! `word-count`: the skill to copy.
//!
//! The world in `wit/` says what the tools are; a model reads its comments. Here is only what they do.

use std::collections::BTreeMap;

wit_bindgen::generate!({
    path: "wit",
    // Without it, a tool with the name of a function of libc (`read`, `rename`, `exit` …) would take that
    // one's place.
    export_prefix: "cm32p2||",
});

struct WordCount;

impl Guest for WordCount {
    fn count(text: String) -> Counts {
        Counts {
            words: text.split_whitespace().count() as u32,
            lines: text.lines().count() as u32,
            characters: text.chars().count() as u32,
        }
    }

    fn frequent(text: String, limit: Option<u32>) -> Result<Vec<Frequency>, String> {
        let limit = limit.unwrap_or(10) as usize;
        if limit == 0 {
            return Err("`limit` is 0; leave it out for the first ten".to_owned());
        }
        let mut times = BTreeMap::<String, u32>::new();
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            *times.entry(word.to_lowercase()).or_default() += 1;
        }
        let mut frequencies: Vec<_> =
            times.into_iter().map(|(word, times)| Frequency { word, times }).collect();
        frequencies.sort_by_key(|frequency| std::cmp::Reverse(frequency.times));
        frequencies.truncate(limit);
        Ok(frequencies)
    }
}

export!(WordCount);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lines_and_characters_are_counted() {
        let counts = WordCount::count("one two\nthree é".to_owned());
        assert_eq!((counts.words, counts.lines, counts.characters), (4, 2, 15));
    }

    #[test]
    fn the_most_frequent_word_comes_first() {
        let frequencies = WordCount::frequent("b a b, A; b!".to_owned(), Some(2)).unwrap();
        let words: Vec<_> = frequencies.iter().map(|f| (f.word.as_str(), f.times)).collect();
        assert_eq!(words, [("b", 3), ("a", 2)]);
    }
}
