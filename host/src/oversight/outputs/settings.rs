//! `[outputs]` of gateway.toml: the detectors that are always on, and rules of the operator's own.
//!
//! The detectors' defaults: a private key or a token has no business in a request or a message, and a model needs none, so
//! it reads `[redacted: …]`. On the agent's own disk nothing is looked at: a copied key there is where it was before.

use std::sync::Arc;

use anyhow::{Result, bail};
use serde::Deserialize;
use soulbound_runtime::RuleRef;
use soulbound_runtime::grant::EntryError;
use soulbound_runtime::grant::output::{Detector, Expression, OutputPattern};

use super::place::{Action, Actions};
use super::rule::Rule;

/// Detectors without a word in gateway.toml: those with hardly a false alarm.
const DETECTORS: [Detector; 2] = [Detector::PrivateKey, Detector::CloudToken];
/// What those do.
const ACTIONS: Actions =
    Actions { results: Action::Redact, http: Action::Block, files: Action::Allow, channels: Action::Block };
/// Rules and patterns of one file: each is looked for in everything that leaves.
const PATTERNS: usize = 256;

/// `[outputs]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outputs {
    detectors: Option<Vec<String>>,
    results: Option<Action>,
    http: Option<Action>,
    files: Option<Action>,
    channels: Option<Action>,
    examples: Option<Examples>,
    #[serde(default)]
    rules: Vec<OwnRule>,
}

/// `[[outputs.rules]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnRule {
    name: String,
    words: Option<Vec<String>>,
    expression: Option<String>,
    detector: Option<String>,
    results: Option<Action>,
    http: Option<Action>,
    files: Option<Action>,
    channels: Option<Action>,
}

/// What becomes of examples from the services' own documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Examples {
    /// The detectors of `[outputs]` let them pass in results and files.
    Allow,
    /// They are judged like anything else.
    Judge,
}

/// The operator's rules, ready to be looked for.
#[derive(Clone)]
pub(crate) struct OutputSettings(Arc<Vec<Rule>>);

impl Default for OutputSettings {
    fn default() -> Self {
        let rules = DETECTORS.iter().filter_map(|detector| of_detector(*detector, ACTIONS, Examples::Allow));
        Self(Arc::new(rules.collect()))
    }
}

impl OutputSettings {
    /// The rules, in order.
    pub(super) fn rules(&self) -> Arc<Vec<Rule>> {
        Arc::clone(&self.0)
    }

    /// Reads the section.
    ///
    /// # Errors
    ///
    /// The first thing in it that cannot be read in just one way.
    pub(crate) fn read(file: Outputs) -> Result<Self> {
        let actions = Actions {
            results: file.results.unwrap_or(ACTIONS.results),
            http: file.http.unwrap_or(ACTIONS.http),
            files: file.files.unwrap_or(ACTIONS.files),
            channels: file.channels.unwrap_or(ACTIONS.channels),
        };
        let detectors = match &file.detectors {
            None => DETECTORS.to_vec(),
            Some(names) => names
                .iter()
                .map(|name| Detector::parse(name).map_err(|error| said("`[outputs] detectors`", name, error)))
                .collect::<Result<_>>()?,
        };
        let examples = file.examples.unwrap_or(Examples::Allow);
        let mut rules: Vec<Rule> =
            detectors.iter().filter_map(|detector| of_detector(*detector, actions, examples)).collect();
        let mut names: Vec<&str> = Vec::new();
        for own in &file.rules {
            if names.contains(&own.name.as_str()) {
                bail!("`[[outputs.rules]]` has two of the name `{}`", own.name);
            }
            names.push(&own.name);
            own.add(&file, &mut rules)?;
        }
        if rules.len() > PATTERNS {
            bail!("`[outputs]` has more than {PATTERNS} patterns\n  hint: one expression can hold many");
        }
        Ok(Self(Arc::new(rules)))
    }
}

impl OwnRule {
    /// A rule that somebody wrote forbids everywhere, but where it or the section says otherwise.
    fn actions(&self, section: &Outputs) -> Actions {
        let or = |own: Option<Action>, section: Option<Action>| own.or(section).unwrap_or(Action::Block);
        Actions {
            results: or(self.results, section.results),
            http: or(self.http, section.http),
            files: or(self.files, section.files),
            channels: or(self.channels, section.channels),
        }
    }

    fn add(&self, section: &Outputs, rules: &mut Vec<Rule>) -> Result<()> {
        let place = format!("`[[outputs.rules]]` `{}`", self.name);
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        // It stands in denials and in what a model reads.
        if self.name.is_empty() || self.name.len() > 64 || !self.name.bytes().all(is_name) {
            bail!("{place}: a rule's name is 1 to 64 of a-z, 0-9 and `-`, and not what it looks for");
        }
        let mut patterns = Vec::new();
        for words in self.words.iter().flatten() {
            patterns.push(OutputPattern::words(words).map_err(|error| said(&place, words, error))?);
        }
        if let Some(text) = &self.expression {
            patterns.push(OutputPattern::Expression(
                Expression::parse(text).map_err(|error| said(&place, text, error))?,
            ));
        }
        if let Some(name) = &self.detector {
            patterns.push(OutputPattern::Detector(
                Detector::parse(name).map_err(|error| said(&place, name, error))?,
            ));
        }
        let kinds = [self.words.is_some(), self.expression.is_some(), self.detector.is_some()];
        if kinds.iter().filter(|there| **there).count() != 1 || patterns.is_empty() {
            bail!("{place} needs one of `words`, `expression` and `detector`");
        }
        let actions = self.actions(section);
        for pattern in &patterns {
            let text = format!("[[outputs.rules]] {}", self.name);
            match Rule::new(self.name.clone(), in_file(text), pattern, actions) {
                Some(rule) => rules.push(rule),
                None => bail!("{place}: `{pattern}` is too large"),
            }
        }
        Ok(())
    }
}

fn of_detector(detector: Detector, actions: Actions, examples: Examples) -> Option<Rule> {
    let source = in_file(format!("[outputs] detectors: {}", detector.name()));
    let rule = Rule::new(detector.name().to_owned(), source, &OutputPattern::Detector(detector), actions)?;
    Some(if examples == Examples::Allow { rule.letting_examples_pass() } else { rule })
}

fn in_file(text: String) -> RuleRef {
    RuleRef { file: "gateway.toml".to_owned(), line: 0, column: 0, text }
}

fn said(place: &str, entry: &str, error: EntryError) -> anyhow::Error {
    let hint = error.hint.map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
    anyhow::anyhow!("{place} entry `{}`: {}{hint}", soulbound_runtime::visible::line(entry), error.message)
}
