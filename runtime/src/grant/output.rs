//! What must never leave an agent: the pattern of a rule `Never output: …`, and of an entry of `[outputs]` in gateway.toml.
//! It grants nothing.
//!
//! | entry in SOUL.md | what may not be put out |
//! |---|---|
//! | `card numbers`, `IBANs`, `private keys`, `cloud tokens`, `e-mail addresses` | what the detector of that name finds |
//! | `/TICKET-[0-9]+/`, in backticks where Markdown needs it; `/…/i` without regard to case | what the regular expression matches |
//! | any other words, or anything in backticks | these words, whole, without regard to case or to what stands between them |
//!
//! The rule: an entry is read in one way or not at all. What looks like a regular expression without its slashes, or like a
//! detector and something more, is an error: a pattern that silently means other text protects nothing.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

use crate::denial::RuleRef;
use crate::grant::EntryError;
use crate::spelling;
use crate::visible;

/// Bytes of the text of one pattern.
const LONGEST: usize = 512;
/// Characters of words, at least: one letter is in everything.
const SHORTEST_WORDS: usize = 2;
/// Bytes that a compiled expression may have. Matching takes time in proportion to it where the fast engines give up; `\w`
/// with all of Unicode has 40 KiB, `\pL{100}` is refused.
const COMPILED_BYTES: usize = 256 << 10;
/// Bytes of an expression's cache of states. Full, it is thrown away, and the search goes on.
const CACHE_BYTES: usize = 2 << 20;
/// Nesting of an expression: the parser recurses.
const NESTING: u32 = 50;

/// Bytes of words that are compared with the names of detectors: shorter ones are near to too much (`hard`, `card`).
const WORTH_GUESSING: usize = 8;

/// Characters that only a regular expression would have in such numbers; words that have them stand in backticks.
const EXPRESSION_CHARACTERS: [char; 13] = ['*', '+', '?', '^', '$', '|', '\\', '(', ')', '[', ']', '{', '}'];

/// One entry of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputRule {
    /// What may not be put out.
    pub what: OutputPattern,
    /// The line, with the entry's column.
    pub rule: RuleRef,
}

/// What may not be put out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputPattern {
    /// Whole words, in any case.
    Words(String),
    /// What a regular expression matches.
    Expression(Expression),
    /// What a built-in detector finds.
    Detector(Detector),
}

/// A built-in detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Detector {
    /// Payment card numbers, by prefix, length and check digit.
    Card,
    /// International bank account numbers, by country, length and check digits.
    Iban,
    /// Private keys: PEM, OpenSSH, PGP, PuTTY, age.
    PrivateKey,
    /// Tokens of clouds and services, by their documented prefixes and checksums.
    CloudToken,
    /// E-mail addresses.
    Email,
}

/// A regular expression that takes linear time and cannot match nothing.
#[derive(Clone)]
pub struct Expression {
    text: String,
    regex: Regex,
    longest: Option<usize>,
}

impl Detector {
    /// All of them.
    pub const ALL: &'static [Detector] =
        &[Self::Card, Self::Iban, Self::PrivateKey, Self::CloudToken, Self::Email];

    /// Its name: in gateway.toml, in `[redacted: card]`, in denials.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Iban => "iban",
            Self::PrivateKey => "private-key",
            Self::CloudToken => "cloud-token",
            Self::Email => "email",
        }
    }

    /// What it finds, in words.
    #[must_use]
    pub fn finds(self) -> &'static str {
        match self {
            Self::Card => "card numbers",
            Self::Iban => "IBANs",
            Self::PrivateKey => "private keys",
            Self::CloudToken => "cloud tokens",
            Self::Email => "e-mail addresses",
        }
    }

    /// How a person may write it in a rule, in lower case.
    fn spellings(self) -> &'static [&'static str] {
        match self {
            Self::Card => &[
                "card",
                "card numbers",
                "card number",
                "credit card numbers",
                "credit card number",
                "payment card numbers",
                "credit cards",
                "cards",
            ],
            Self::Iban => &["iban", "ibans", "bank account numbers"],
            Self::PrivateKey => &["private-key", "private keys", "private key", "private-keys"],
            Self::CloudToken => {
                &["cloud-token", "cloud tokens", "cloud token", "cloud-tokens", "access tokens"]
            }
            Self::Email => &[
                "email",
                "e-mail",
                "emails",
                "e-mails",
                "email addresses",
                "e-mail addresses",
                "email address",
                "e-mail address",
            ],
        }
    }

    /// The detector with this name, as gateway.toml has it.
    ///
    /// # Errors
    ///
    /// There is none; the hint names the nearest.
    pub fn parse(name: &str) -> Result<Self, EntryError> {
        if let Some(found) = Self::ALL.iter().find(|detector| detector.name() == name) {
            return Ok(*found);
        }
        let names = Self::ALL.iter().map(|detector| detector.name());
        let hint = match spelling::nearest(name, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", names.collect::<Vec<_>>().join(", ")),
        };
        Err(EntryError::whole(name, "no such detector").hint(hint))
    }

    fn spelled(text: &str) -> Option<Self> {
        let text = text.to_lowercase();
        Self::ALL.iter().copied().find(|detector| detector.spellings().contains(&text.as_str()))
    }
}

impl Expression {
    /// Reads an expression in the syntax of the crate `regex`.
    ///
    /// # Errors
    ///
    /// It does not parse, would be too large, or matches the empty text.
    pub fn parse(text: &str) -> Result<Self, EntryError> {
        let error = |message: String, hint: &str| EntryError::whole(text, message).hint(hint);
        if text.len() > LONGEST {
            return Err(error(
                format!("a regular expression of {} bytes", text.len()),
                "write several shorter ones; 512 bytes are the most",
            ));
        }
        let parsed = regex_syntax::ParserBuilder::new().utf8(false).nest_limit(NESTING).build().parse(text);
        let shape = parsed.map_err(|failed| {
            error(format!("no regular expression: {}", reason(&failed.to_string())), SYNTAX)
        })?;
        let properties = shape.properties();
        // `\b` or `x*` matches between any two characters: everything would be forbidden.
        if properties.minimum_len().is_none_or(|least| least == 0) {
            return Err(error(
                "this regular expression matches the empty text, or nothing at all".into(),
                "let it need at least one character",
            ));
        }
        let longest = properties.maximum_len();
        let regex = RegexBuilder::new(text)
            .size_limit(COMPILED_BYTES)
            .dfa_size_limit(CACHE_BYTES)
            .nest_limit(NESTING)
            .build()
            .map_err(|failed| match failed {
                regex::Error::CompiledTooBig(limit) => error(
                    format!("this regular expression needs more than {limit} bytes"),
                    "repeat less: `{1,1000}` of a class is a thousand copies of it",
                ),
                other => error(format!("no regular expression: {}", reason(&other.to_string())), SYNTAX),
            })?;
        Ok(Self { text: text.to_owned(), regex, longest })
    }

    /// As written, without the slashes.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// For searching. A search takes time linear in what is searched.
    #[must_use]
    pub fn regex(&self) -> &Regex {
        &self.regex
    }

    /// The longest match in bytes, if there is a longest one.
    #[must_use]
    pub fn longest(&self) -> Option<usize> {
        self.longest
    }
}

/// Where an expression's syntax is explained.
const SYNTAX: &str = "the syntax is that of the Rust crate `regex`: no look-around, no back-references";

impl OutputPattern {
    /// Reads an entry of a rule in SOUL.md, its backticks still there.
    ///
    /// # Errors
    ///
    /// Says why it can be read in no way, or in two.
    pub fn parse(entry: &str) -> Result<Self, EntryError> {
        let entry = entry.trim();
        let literal = entry.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).map(str::trim);
        if let Some(expression) = expression(literal.unwrap_or(entry)) {
            return expression
                .map(Self::Expression)
                .map_err(|error| EntryError { at: 0..entry.len(), ..error });
        }
        if let Some(literal) = literal {
            return Self::words(literal).map_err(|error| EntryError { at: 0..entry.len(), ..error });
        }
        // The full stop of the sentence.
        let text = entry.strip_suffix('.').unwrap_or(entry);
        if let Some(detector) = Detector::spelled(text) {
            return Ok(Self::Detector(detector));
        }
        if let Some(found) = text.chars().find(|character| EXPRESSION_CHARACTERS.contains(character)) {
            return Err(EntryError::whole(entry, format!("`{found}` in words: a regular expression stands between slashes"))
                .hint(format!("write `/{text}/` with its backticks for a regular expression, or `{text}` in backticks for these very characters")));
        }
        if text.starts_with('/') || text.contains('`') {
            return Err(EntryError::whole(entry, "neither words nor a whole regular expression")
                .hint("put all of it between backticks"));
        }
        if let Some(detector) = resembles(text) {
            return Err(EntryError::whole(
                entry,
                format!("this reads as these very words, and looks like {}", detector.finds()),
            )
            .hint(format!(
                "write `{}` between commas; words of such a kind stand in backticks",
                detector.finds()
            )));
        }
        Self::words(text)
    }

    /// These words, whole, in any case.
    ///
    /// # Errors
    ///
    /// Too few or too many characters, or characters that nobody sees.
    pub fn words(text: &str) -> Result<Self, EntryError> {
        let error = |message: &str, hint: &str| Err(EntryError::whole(text, message).hint(hint));
        let words: Vec<&str> = text.split_whitespace().collect();
        let words = words.join(" ");
        if words.chars().any(visible::is_invisible) {
            return error("characters that nobody sees", "write what a reader would see");
        }
        if words.chars().filter(|character| *character != ' ').count() < SHORTEST_WORDS {
            return error("too short: it would be found everywhere", "two characters are the least");
        }
        if words.len() > LONGEST {
            return error("too long", "512 bytes are the most; shorter words find more");
        }
        Ok(Self::Words(words))
    }

    /// What it forbids, in words: how `check` shows that it was understood.
    #[must_use]
    pub fn reading(&self) -> String {
        match self {
            Self::Words(words) => format!("the words {}", visible::quoted(words, LONGEST)),
            Self::Expression(_) => format!("what matches {self}"),
            Self::Detector(detector) => detector.finds().to_owned(),
        }
    }
}

/// `/…/` or `/…/i`.
fn expression(text: &str) -> Option<Result<Expression, EntryError>> {
    let rest = text.strip_prefix('/')?;
    if let Some(inner) = rest.strip_suffix('/') {
        return (!inner.is_empty()).then(|| Expression::parse(inner));
    }
    let inner = rest.strip_suffix("/i")?;
    (!inner.is_empty()).then(|| Expression::parse(&format!("(?i:{inner})")))
}

/// The detector that words name among others, or nearly.
fn resembles(text: &str) -> Option<Detector> {
    let folded = text.to_lowercase();
    let words: Vec<&str> = folded.split(|c: char| !c.is_alphanumeric() && c != '-').collect();
    Detector::ALL.iter().copied().find(|detector| {
        let spellings = detector.spellings().iter();
        let mut named =
            spellings.clone().filter(|spelling| spelling.len() > detector.name().len() || words.len() > 1);
        named.any(|spelling| {
            let parts: Vec<&str> = spelling.split(' ').collect();
            words.windows(parts.len()).any(|window| window == parts.as_slice())
        }) || (folded.len() >= WORTH_GUESSING && spelling::nearest(&folded, spellings.copied()).is_some())
    })
}

/// The last line of the crate's error: the others draw a picture.
fn reason(message: &str) -> String {
    let last = message.lines().last().unwrap_or_default();
    visible::line(last.trim_start_matches("error: "))
}

impl fmt::Display for OutputPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => write!(formatter, "`{words}`"),
            Self::Expression(expression) => write!(formatter, "`/{}/`", expression.text),
            Self::Detector(detector) => formatter.write_str(detector.name()),
        }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "/{}/", self.text)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(entry: &str) -> String {
        match OutputPattern::parse(entry) {
            Ok(pattern) => pattern.reading(),
            Err(error) => format!("error: {}", error.message),
        }
    }

    #[test]
    fn an_entry_is_a_detector_an_expression_or_words() {
        for (entry, reading) in [
            ("card numbers", "card numbers"),
            ("Credit card numbers.", "card numbers"),
            ("IBANs", "IBANs"),
            ("private-key", "private keys"),
            ("e-mail addresses", "e-mail addresses"),
            ("Project  Titan", "the words \"Project Titan\""),
            ("internal.example.com", "the words \"internal.example.com\""),
            ("`C++`", "the words \"C++\""),
            ("`card numbers`", "the words \"card numbers\""),
            ("/TICKET-[0-9]{6}/", "what matches `/TICKET-[0-9]{6}/`"),
            ("`/a|b.*/i`", "what matches `/(?i:a|b.*)/`"),
            ("password", "the words \"password\""),
            ("house numbers", "the words \"house numbers\""),
            ("hard", "the words \"hard\""),
        ] {
            assert_eq!(read(entry), reading, "{entry}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_or_in_none_is_an_error() {
        for (entry, message) in [
            ("sk-.*", "`*` in words"),
            ("(secret)", "`(` in words"),
            ("/abc", "neither words"),
            ("a `b` c", "neither words"),
            ("card numbers or IBANs", "looks like card numbers"),
            ("any e-mail addresses", "looks like e-mail addresses"),
            ("privat keys", "looks like private keys"),
            ("x", "too short"),
            ("", "too short"),
            ("`/(/`", "no regular expression"),
            ("`/(?=x)y/`", "no regular expression"),
            ("`/a*/`", "empty text"),
            (r"`/\b/`", "empty text"),
            ("`/[a&&b]/`", "empty text"),
            ("`/(a{1000}){1000}/`", "needs more than"),
            (r"`/(\pL{200}){50}/`", "needs more than"),
        ] {
            let error = OutputPattern::parse(entry).unwrap_err();
            assert!(error.message.contains(message), "{entry}: {}", error.message);
            assert!(error.hint.is_some(), "{entry}");
        }
        let nested = format!("`/{}a{}/`", "(".repeat(200), ")".repeat(200));
        assert!(read(&nested).contains("no regular expression"), "{}", read(&nested));
        assert!(read(&format!("`/{}/`", "a".repeat(600))).contains("600 bytes"));
    }

    #[test]
    fn a_detector_has_one_name_in_settings() {
        assert_eq!(Detector::parse("iban"), Ok(Detector::Iban));
        assert_eq!(Detector::parse("cards").unwrap_err().hint.as_deref(), Some("did you mean `card`?"));
        assert!(Detector::parse("passports").unwrap_err().hint.unwrap().starts_with("there are card, iban"));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same_pattern(entry in "[a-zA-Z./` -]{0,16}") {
            if let Ok(pattern) = OutputPattern::parse(&entry) {
                prop_assert_eq!(OutputPattern::parse(&pattern.to_string()), Ok(pattern));
            }
        }

        #[test]
        fn nothing_makes_the_reader_panic(entry in ".{0,64}") {
            let _ = OutputPattern::parse(&entry);
            let _ = Expression::parse(&entry);
        }
    }
}
