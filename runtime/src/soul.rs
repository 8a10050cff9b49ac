//! Reading SOUL.md: one file of Markdown, read once, into a [`Soul`] whose grants nothing can widen
//! afterwards.
//!
//! The rooms: [`mod@encoding`] refuses what cannot be seen, [`mod@outline`] is the only one that knows
//! Markdown, [`mod@sections`] sorts its blocks, [`mod@identity`], [`mod@rules`], [`mod@skills`] and
//! [`mod@channels`] read one section each, [`mod@standing`] and [`mod@reach`] say what the whole amounts to.
//!
//! The one rule: a file with an error is not used at all. There is no half of a policy.

mod broad;
mod bullets;
mod channels;
mod diagnostic;
mod difference;
mod encoding;
mod grants;
mod hidden;
mod html;
mod identity;
mod keys;
mod name;
mod narrowing;
mod outline;
mod outputs;
mod reach;
mod read;
mod rules;
mod sections;
mod skills;
mod source;
mod standing;
#[cfg(test)]
mod tests;
mod value;
mod view;

use std::fmt;
use std::path::Path;

use sha2::{Digest, Sha256};

pub use channels::Channel;
pub use diagnostic::{Diagnostic, Excerpt};
pub use difference::{Difference, Effect};
pub use name::agent_id;
pub use reach::{Endpoint, Flow, Reach};
pub use read::{ReadError, bytes_of};
pub use rules::Rule;
pub use skills::SkillEntry;
pub use standing::{RuleStanding, Standing};
pub use view::{AgentView, ChannelView, DirectoryView, RuleView, SkillView, SoulView};

use crate::grant::{EntryError, OutputRule};
use diagnostic::Findings;
use source::Source;

/// An agent as its SOUL.md describes it.
///
/// ```
/// use soulbound_runtime::Soul;
///
/// let text = "## Identity\n- Name: Echo\n## Skills\n- file-reader: Read policies\n  - read: ./documents\n";
/// let soul = Soul::parse("SOUL.md", text.as_bytes())?;
/// assert_eq!(soul.id(), "echo");
/// let directory = &soul.skill("file-reader").ok_or("not listed")?.grant.directories[0];
/// assert_eq!((directory.path.as_str(), directory.guest.as_str()), ("./documents", "/documents"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Soul {
    file: String,
    digest: [u8; 32],
    id: String,
    name: String,
    role: Option<String>,
    model: Option<String>,
    title: Option<String>,
    rules: Vec<Rule>,
    skills: Vec<SkillEntry>,
    channels: Vec<Channel>,
    warnings: Vec<Diagnostic>,
}

/// Why nothing of a SOUL.md is used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SoulErrors {
    /// All errors, in order of line.
    pub errors: Vec<Diagnostic>,
    /// What else was noticed.
    pub warnings: Vec<Diagnostic>,
}

impl fmt::Display for SoulErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            error.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for SoulErrors {}

impl Soul {
    /// Reads the bytes of a SOUL.md; `file` is how messages name it.
    ///
    /// # Errors
    ///
    /// All errors of the file. Nothing of a file with an error is used.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, SoulErrors> {
        let text = encoding::decode(file, bytes)
            .map_err(|error| SoulErrors { errors: vec![error], warnings: Vec::new() })?;
        let source = Source::new(file, text);
        let mut findings = Findings::new(&source);
        encoding::inspect(&source, &mut findings);
        if !findings.is_clean() {
            let (errors, warnings) = findings.finish();
            return Err(SoulErrors { errors, warnings });
        }
        let blocks = outline::outline(&source);
        let sections = sections::sort(&blocks, &source, &mut findings);
        let identity = identity::read(&sections, &source, &mut findings);
        let mut soul = Self {
            file: file.to_owned(),
            digest: Sha256::digest(bytes).into(),
            id: identity.id,
            name: identity.name,
            role: identity.role,
            model: identity.model,
            rules: rules::read(&sections.rules, &source, &mut findings),
            skills: skills::read(&sections.skills, &source, &mut findings),
            channels: channels::read(&sections.channels, &source, &mut findings),
            title: sections.title,
            warnings: Vec::new(),
        };
        channels::grant_to_skills(&soul.channels, &soul.rules, &mut soul.skills);
        soul.judge(&source, &mut findings);
        let clean = findings.is_clean();
        let (errors, warnings) = findings.finish();
        if !clean {
            return Err(SoulErrors { errors, warnings });
        }
        soul.warnings = warnings;
        Ok(soul)
    }

    /// Reads a SOUL.md from disk: a regular file of at most 256 KiB.
    ///
    /// # Errors
    ///
    /// Tells a file that cannot be read from one whose content is wrong.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        read::read(path)
    }

    /// What only the whole file tells: rules that a grant contradicts, and flows.
    fn judge(&self, source: &Source<'_>, findings: &mut Findings<'_>) {
        for rule in &self.rules {
            let standing = self.standing(rule);
            if standing.standing == Standing::Contradicts {
                findings.error(
                    EntryError::at(
                        source.place(&rule.rule),
                        format!("this rule cannot hold: {}", standing.by),
                    )
                    .hint("delete the rule, or the grant that contradicts it"),
                );
            }
        }
        for flow in self.reach().flows.iter().filter(|flow| flow.public) {
            findings.warn(
                EntryError::at(source.place(&flow.rule), flow.sentence())
                    .hint("if that is not meant, grant less on one side"),
            );
        }
        for grant in self.skills.iter().map(|entry| &entry.grant) {
            let directories = grant.directories.iter().map(|grant| (&grant.rule, broad::directory(grant)));
            let hosts = grant.hosts.iter().map(|grant| (grant.rule(), broad::host(grant)));
            for (rule, (message, hint)) in
                directories.chain(hosts).filter_map(|(rule, remark)| Some((rule, remark?)))
            {
                findings.warn(EntryError::at(source.place(rule), message).hint(hint));
            }
        }
    }

    /// The file as the operator named it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The SHA-256 of the file's bytes.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The agent's id: its name in lower case with `-` for spaces.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The agent's name, as written.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The agent's role, as written.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// The agent's model, as `provider/model`.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The file's first heading of level one.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// The rules, in order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What may never leave the agent, in order.
    pub fn output_rules(&self) -> impl Iterator<Item = &OutputRule> {
        self.rules.iter().flat_map(|rule| &rule.output)
    }

    /// What stands behind a rule of this file.
    #[must_use]
    pub fn standing(&self, rule: &Rule) -> RuleStanding {
        standing::of(rule, self.model(), &self.skills, &self.channels)
    }

    /// The skills with their grants, in order.
    #[must_use]
    pub fn skills(&self) -> &[SkillEntry] {
        &self.skills
    }

    /// The skill with this slug, if it is listed.
    #[must_use]
    pub fn skill(&self, name: &str) -> Option<&SkillEntry> {
        self.skills.iter().find(|skill| skill.name == name)
    }

    /// The channels, in order.
    #[must_use]
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// What a person should know, in order of line.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// What all skills and channels together reach, and what can flow from where to where.
    #[must_use]
    pub fn reach(&self) -> Reach {
        Reach::of(&self.skills, &self.channels)
    }
}
