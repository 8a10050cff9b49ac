//! What one call, and a skill over time, may use up: the operator's defaults, and SOUL.md's `limit` that only
//! tightens.
//!
//! | entry | limits |
//! |---|---|
//! | `rate 10/minute` | calls a second, minute, hour or day |
//! | `time 5s` | wall-clock time of a call: `ms`, `s`, `m` |
//! | `memory 64MiB`, `output 1MiB`, `disk 256MiB` | bytes of a call: `B`, `KiB`, `MiB`, `GiB` |
//! | `egress 4KiB/hour` | bytes sent over the network in a time |

use std::fmt;
use std::time::Duration;

use crate::denial::RuleRef;
use crate::grant::EntryError;
use crate::spelling;

/// Limits of one skill. `None` leaves the operator's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Wall-clock time of one call.
    pub time: Option<Duration>,
    /// Memory of one call, in bytes: the sum of its linear memories and tables.
    pub memory: Option<u64>,
    /// The result of one call as JSON, in bytes.
    pub output: Option<u64>,
    /// What one call may write to files, in bytes.
    pub disk: Option<u64>,
    /// Calls over time; all of them hold. A SOUL.md gives at most one, the operator's default may add
    /// another.
    pub rate: Vec<Rate>,
    /// Bytes sent over the network over time; all of them hold.
    pub egress: Vec<Rate>,
    /// The line that set them.
    pub rule: Option<RuleRef>,
}

/// An amount over a window of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many calls, or bytes.
    pub amount: u64,
    /// In which time: a second, a minute, an hour or a day.
    pub per: Duration,
}

const NAMES: [&str; 6] = ["rate", "time", "memory", "output", "disk", "egress"];
const WINDOWS: [(&str, u64); 4] = [("second", 1), ("minute", 60), ("hour", 3_600), ("day", 86_400)];
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
/// Times in milliseconds.
const TIMES: [(&str, u64); 3] = [("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Limits {
    /// Reads one entry of a `limit` line and adds it.
    ///
    /// # Errors
    ///
    /// Says what is no limit, or that the entry stands twice.
    pub fn add(&mut self, entry: &str, rule: RuleRef) -> Result<(), EntryError> {
        let length = entry.find([' ', '\t']).unwrap_or(entry.len());
        let (name, rest) = entry.split_at(length);
        let value = rest.trim();
        if !NAMES.contains(&name) {
            let hint = match spelling::nearest(name, NAMES) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the limits are `{}`", NAMES.join("`, `")),
            };
            return Err(EntryError::at(0..length, "unknown limit").hint(hint));
        }
        let is_set = match name {
            "rate" => !self.rate.is_empty(),
            "egress" => !self.egress.is_empty(),
            "time" => self.time.is_some(),
            "memory" => self.memory.is_some(),
            "output" => self.output.is_some(),
            _ => self.disk.is_some(),
        };
        if is_set {
            return Err(
                EntryError::at(0..length, format!("a second limit `{name}`")).hint("delete one of the two")
            );
        }
        let at = entry.len() - rest.trim_start().len()..entry.len();
        let error = |(message, hint): (String, String)| EntryError::at(at.clone(), message).hint(hint);
        match name {
            "rate" => self.rate.push(rate(value, "10", &[("", 1)]).map_err(error)?),
            "egress" => self.egress.push(rate(value, "4KiB", &SIZES).map_err(error)?),
            "time" => self.time = Some(Duration::from_millis(amount(value, "5s", &TIMES).map_err(error)?)),
            "memory" => self.memory = Some(amount(value, "64MiB", &SIZES).map_err(error)?),
            "output" => self.output = Some(amount(value, "1MiB", &SIZES).map_err(error)?),
            _ => self.disk = Some(amount(value, "256MiB", &SIZES).map_err(error)?),
        }
        self.rule.get_or_insert(rule);
        Ok(())
    }

    /// What holds for a call: of each limit the stricter one. SOUL.md can tighten the operator's `defaults`,
    /// never loosen them.
    ///
    /// Of two rates neither may contain the other: 1000 a day allows a burst that 120 a minute does not. Then
    /// both hold.
    #[must_use]
    pub fn tighten(&self, defaults: &Self) -> Self {
        fn stricter<T: Ord + Copy>(one: Option<T>, other: Option<T>) -> Option<T> {
            one.into_iter().chain(other).min()
        }
        Self {
            time: stricter(self.time, defaults.time),
            memory: stricter(self.memory, defaults.memory),
            output: stricter(self.output, defaults.output),
            disk: stricter(self.disk, defaults.disk),
            rate: both(&self.rate, &defaults.rate),
            egress: both(&self.egress, &defaults.egress),
            rule: self.rule.clone(),
        }
    }

    /// These limits, and for those that are not set, the ones of `base`: how an operator changes what is built in.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        let own = |own: &Vec<Rate>, base: &Vec<Rate>| if own.is_empty() { base.clone() } else { own.clone() };
        Self {
            time: self.time.or(base.time),
            memory: self.memory.or(base.memory),
            output: self.output.or(base.output),
            disk: self.disk.or(base.disk),
            rate: own(&self.rate, &base.rate),
            egress: own(&self.egress, &base.egress),
            rule: self.rule.clone(),
        }
    }

    /// The entries that do nothing because the operator's `defaults` are as strict already, each with that
    /// default: (`time 60s`, `time 30s`). Not an error; a person should know.
    #[must_use]
    pub fn looser_than(&self, defaults: &Self) -> Vec<(String, String)> {
        let effective = self.tighten(defaults).entries();
        let (own, defaults) = (self.entries(), defaults.entries());
        let lost = own.into_iter().filter(|entry| !effective.contains(entry));
        lost.filter_map(|entry| {
            let name = entry.split(' ').next()?;
            let stricter = defaults.iter().find(|default| default.split(' ').next() == Some(name))?;
            Some((entry, stricter.clone()))
        })
        .collect()
    }

    /// The limits as a `limit` line writes them, an entry each.
    #[must_use]
    pub fn entries(&self) -> Vec<String> {
        let size =
            |name: &str, bytes: Option<u64>| bytes.map(|bytes| format!("{name} {}", Scaled(bytes, &SIZES)));
        let mut entries: Vec<String> =
            self.rate.iter().map(|rate| format!("rate {}/{}", rate.amount, rate.window())).collect();
        entries.extend(self.time.map(|time| {
            let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            format!("time {}", Scaled(milliseconds, &TIMES))
        }));
        entries.extend(size("memory", self.memory));
        entries.extend(size("output", self.output));
        entries.extend(size("disk", self.disk));
        entries.extend(
            self.egress
                .iter()
                .map(|rate| format!("egress {}/{}", Scaled(rate.amount, &SIZES), rate.window())),
        );
        entries
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.entries().join(", "))
    }
}

impl Rate {
    fn window(&self) -> String {
        let seconds = self.per.as_secs();
        let name = WINDOWS.iter().find(|(_, window)| *window == seconds).map(|(name, _)| (*name).to_owned());
        name.unwrap_or_else(|| format!("{seconds}s"))
    }

    /// Whether whatever keeps this rate keeps `other` as well: no more at once, and no more in the long run.
    fn implies(&self, other: &Self) -> bool {
        let long_run = u128::from(self.amount) * other.per.as_millis()
            <= u128::from(other.amount) * self.per.as_millis();
        self.amount <= other.amount && (long_run || self.per >= other.per)
    }
}

/// All of both lists that the others do not imply.
fn both(own: &[Rate], defaults: &[Rate]) -> Vec<Rate> {
    let mut kept: Vec<Rate> = Vec::new();
    for rate in own.iter().chain(defaults) {
        if !kept.iter().any(|other| other.implies(rate)) {
            kept.retain(|other| !rate.implies(other));
            kept.push(*rate);
        }
    }
    kept
}

/// A number in its largest unit without a fraction.
struct Scaled<'a>(u64, &'a [(&'a str, u64)]);

impl fmt::Display for Scaled<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = self.1.iter().find(|(_, scale)| self.0.is_multiple_of(*scale) && self.0 >= *scale);
        let (unit, scale) = fits.copied().unwrap_or(("", 1));
        write!(formatter, "{}{unit}", self.0 / scale)
    }
}

/// A message and its hint.
type Wrong = (String, String);

fn rate(value: &str, example: &str, units: &[(&str, u64)]) -> Result<Rate, Wrong> {
    let wrong = |message: &str| (message.to_owned(), format!("such as `{example}/minute`"));
    let (number, window) =
        value.split_once('/').ok_or_else(|| wrong("expected an amount and a time, with `/` between"))?;
    let Some((_, seconds)) = WINDOWS.iter().find(|(name, _)| *name == window) else {
        let hint = match spelling::nearest(window, WINDOWS.iter().map(|(name, _)| *name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "the times are `second`, `minute`, `hour`, `day`".into(),
        };
        return Err(("unknown time after `/`".into(), hint));
    };
    Ok(Rate { amount: amount(number, example, units)?, per: Duration::from_secs(*seconds) })
}

/// A time as limits spell it: `30m`; `None` for anything else.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    amount(text, "5s", &TIMES).ok().map(Duration::from_millis)
}

/// A size as limits spell it: `64MiB`, in bytes; `None` for anything else.
#[must_use]
pub fn bytes(text: &str) -> Option<u64> {
    amount(text, "64MiB", &SIZES).ok()
}

/// A whole number with one of the units.
fn amount(value: &str, example: &str, units: &[(&str, u64)]) -> Result<u64, Wrong> {
    let wrong = |message: &str| (message.to_owned(), format!("such as `{example}`"));
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    if number.is_empty() {
        return Err(wrong("expected a whole number"));
    }
    let Some((_, scale)) = units.iter().find(|(name, _)| *name == unit) else {
        let names: Vec<String> = units.iter().map(|(name, _)| format!("`{name}`")).collect();
        let hint = if names.len() == 1 {
            "write the number alone".into()
        } else {
            format!("the units are {}", names.join(", "))
        };
        let message = if unit.is_empty() { "a number without a unit" } else { "unknown unit" };
        return Err((message.into(), hint));
    };
    let amount = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*scale));
    match amount {
        None => Err(wrong("the number is too large")),
        Some(0) => Err(("zero would allow nothing".into(), "leave the skill out instead".into())),
        Some(amount) => Ok(amount),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule() -> RuleRef {
        RuleRef { file: "SOUL.md".into(), line: 3, column: 1, text: String::new() }
    }

    fn limits(entries: &[&str]) -> Limits {
        let mut limits = Limits::default();
        for entry in entries {
            limits.add(entry, rule()).unwrap_or_else(|error| panic!("{entry}: {error:?}"));
        }
        limits
    }

    #[test]
    fn limits_are_read_and_shown_in_one_spelling() {
        let all =
            ["rate 10/minute", "time 5s", "memory 64MiB", "output 1MiB", "disk 256MiB", "egress 4KiB/hour"];
        assert_eq!(limits(&all).entries(), all);
        assert_eq!(limits(&["time 500ms"]).time, Some(Duration::from_millis(500)));
        assert_eq!(limits(&["time 120s"]).to_string(), "time 2m");
        assert_eq!(limits(&["memory 2048KiB"]).to_string(), "memory 2MiB");
        assert_eq!(limits(&["egress 7B/day"]).to_string(), "egress 7B/day");
    }

    #[test]
    fn what_is_no_limit_is_refused_with_its_remedy() {
        for (entry, part) in [
            ("", "unknown limit"),
            ("tme 5s", "unknown limit"),
            ("Time 5s", "unknown limit"),
            ("time", "whole number"),
            ("time 5", "without a unit"),
            ("time 5 s", "unknown unit"),
            ("time 0s", "zero"),
            ("time -5s", "whole number"),
            ("time 1.5s", "unknown unit"),
            ("time 99999999999999999999s", "too large"),
            ("time 18446744073709551615m", "too large"),
            ("memory 64MB", "unknown unit"),
            ("memory 64", "without a unit"),
            ("memory 0MiB", "zero"),
            ("rate 10", "with `/` between"),
            ("rate 10/minutes", "unknown time"),
            ("rate 0/minute", "zero"),
            ("rate 10KiB/minute", "unknown unit"),
            ("egress 10/minute", "without a unit"),
            ("time 5s 6s", "unknown unit"),
            ("memory \u{661}MiB", "whole number"),
        ] {
            let error = Limits::default().add(entry, rule()).expect_err(entry);
            assert!(error.message.contains(part), "{entry}: {}", error.message);
            assert!(error.hint.is_some() && entry.get(error.at.clone()).is_some(), "{entry}: {:?}", error.at);
        }
        let mut twice = limits(&["time 5s"]);
        assert!(twice.add("time 4s", rule()).is_err());
    }

    #[test]
    fn a_soul_tightens_and_never_loosens() {
        let defaults = limits(&["time 30s", "memory 256MiB", "rate 120/minute"]);
        let soul = limits(&["time 60s", "memory 64MiB", "rate 10/minute", "output 1MiB"]);
        let effective = soul.tighten(&defaults);
        assert_eq!(effective.entries(), ["rate 10/minute", "time 30s", "memory 64MiB", "output 1MiB"]);
        assert_eq!(soul.looser_than(&defaults), [("time 1m".to_owned(), "time 30s".to_owned())]);
        assert_eq!(Limits::default().tighten(&defaults), Limits { rule: None, ..defaults.clone() });
    }

    #[test]
    fn a_long_window_does_not_open_a_burst() {
        let defaults = limits(&["rate 120/minute"]);
        let rates = |entry| limits(&[entry]).tighten(&defaults).entries();
        assert_eq!(rates("rate 1000/day"), ["rate 1000/day", "rate 120/minute"]);
        assert_eq!(rates("rate 100/day"), ["rate 100/day"]);
        assert_eq!(rates("rate 5/second"), ["rate 5/second", "rate 120/minute"]);
        assert_eq!(rates("rate 1/second"), ["rate 1/second"]);
        assert_eq!(rates("rate 500/minute"), ["rate 120/minute"]);
        assert_eq!(rates("rate 200/second"), ["rate 120/minute"]);
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same_limits(time in 1_u64..1 << 40, memory in 1_u64.., amount in 1_u64.., window in 0_usize..4) {
            let rate = Rate { amount, per: Duration::from_secs(WINDOWS[window].1) };
            let shown = Limits {
                time: Some(Duration::from_millis(time)),
                memory: Some(memory),
                rate: vec![rate],
                egress: vec![rate],
                rule: Some(rule()),
                ..Limits::default()
            };
            let entries = shown.entries();
            let read = limits(&entries.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(read, shown);
        }

        #[test]
        fn no_text_panics(entry in "\\PC{0,30}") {
            let _ = Limits::default().add(&entry, rule());
        }
    }
}
