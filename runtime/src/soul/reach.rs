//! What an agent can reach: the union over its skills, because the model can carry data from one to another.
//!
//! A flow is what follows from the union: something private that some skill reads, and a place to which some
//! skill (or a channel) sends. It is no error, since most useful agents have one; it is what a reviewer must
//! have seen.

use serde::Serialize;

use super::Channel;
use super::grants::overlap;
use super::skills::SkillEntry;
use crate::denial::RuleRef;
use crate::grant::{DirectoryGrant, DirectoryMode, HostGrant};

/// So many flows are listed, and so many sources of each: beyond it they are counted.
const KEPT: usize = 64;

/// The union of what an agent's skills are granted, and what can flow from where to where.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Reach {
    /// Directories that some skill can read, as written.
    pub read: Vec<String>,
    /// Directories that some skill can change, as written.
    pub write: Vec<String>,
    /// Directories to which some skill can add files, as written.
    pub create: Vec<String>,
    /// Hosts, as written.
    pub hosts: Vec<String>,
    /// Channels, as `kind: target`.
    pub channels: Vec<String>,
    /// What can leave, a flow for each place to which it can go.
    pub flows: Vec<Flow>,
    /// Flows beyond those that are listed.
    pub flows_omitted: usize,
}

/// Everything private that can go to one place.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Flow {
    /// Where the data comes from: directories and private hosts.
    pub from: Vec<Endpoint>,
    /// Sources beyond those that are listed.
    pub from_omitted: usize,
    /// Where it can go.
    pub to: Endpoint,
    /// Whether that place is outside: a public host or a channel, rather than a directory that another skill
    /// reads.
    pub public: bool,
    /// The sink's line, for findings about it.
    #[serde(skip)]
    pub rule: RuleRef,
}

/// One end of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Endpoint {
    /// The skill that reads or sends; none for a channel.
    pub skill: Option<String>,
    /// The directory, host or channel as written.
    pub place: String,
    /// Its line, from 1.
    pub line: u32,
}

impl Reach {
    /// The reach of skills and channels together.
    pub(super) fn of(skills: &[SkillEntry], channels: &[Channel]) -> Self {
        let mut reach = Self::default();
        for (_, directory) in directories(skills) {
            let list = match directory.mode {
                DirectoryMode::Read => &mut reach.read,
                DirectoryMode::Write => &mut reach.write,
                DirectoryMode::Create => &mut reach.create,
            };
            list.push(directory.path.clone());
        }
        reach.read.extend(reach.write.iter().cloned());
        reach.hosts = hosts(skills).map(|(_, host)| host.to_string()).collect();
        reach.channels =
            channels.iter().map(|channel| format!("{}: {}", channel.kind, channel.target)).collect();
        for list in
            [&mut reach.read, &mut reach.write, &mut reach.create, &mut reach.hosts, &mut reach.channels]
        {
            list.sort();
            list.dedup();
        }
        reach.flow(skills, channels);
        reach
    }

    fn flow(&mut self, skills: &[SkillEntry], channels: &[Channel]) {
        let mut sources: Vec<Endpoint> = directories(skills)
            .filter(|(_, directory)| directory.mode != DirectoryMode::Create)
            .map(|(skill, directory)| endpoint(skill, directory.path.clone(), &directory.rule))
            .collect();
        sources.extend(
            hosts(skills)
                .filter(|(_, host)| !host.is_public())
                .map(|(skill, host)| endpoint(skill, host.to_string(), &host.rule)),
        );
        let public = hosts(skills).filter(|(_, host)| host.is_public());
        for (skill, host) in public {
            self.push(&sources, None, endpoint(skill, host.to_string(), &host.rule), true, &host.rule);
        }
        for channel in channels {
            let place = format!("{}: {}", channel.kind, channel.target);
            let to = Endpoint { skill: None, place, line: channel.line };
            self.push(&sources, None, to, true, &channel.rule);
        }
        for (skill, directory) in
            directories(skills).filter(|(_, directory)| directory.mode != DirectoryMode::Read)
        {
            let is_read = directories(skills).any(|(reader, other)| {
                reader.name != skill.name
                    && other.mode != DirectoryMode::Create
                    && overlap(&other.location(), &directory.location())
            });
            if is_read {
                let to = endpoint(skill, directory.path.clone(), &directory.rule);
                self.push(&sources, Some(directory), to, false, &directory.rule);
            }
        }
    }

    /// A flow from all sources but the directory itself.
    fn push(
        &mut self,
        sources: &[Endpoint],
        itself: Option<&DirectoryGrant>,
        to: Endpoint,
        public: bool,
        rule: &RuleRef,
    ) {
        let is_itself = |source: &&Endpoint| itself.is_some_and(|directory| directory.path == source.place);
        let mut from = sources.iter().filter(|source| !is_itself(source));
        let kept: Vec<Endpoint> = from.by_ref().take(KEPT).cloned().collect();
        if kept.is_empty() {
            return;
        }
        if self.flows.len() == KEPT {
            self.flows_omitted += 1;
            return;
        }
        self.flows.push(Flow { from: kept, from_omitted: from.count(), to, public, rule: rule.clone() });
    }
}

impl Flow {
    /// The flow in a sentence that names both ends.
    #[must_use]
    pub fn sentence(&self) -> String {
        let shown = 3;
        let mut from: Vec<String> =
            self.from.iter().take(shown).map(|source| format!("`{}`", source.place)).collect();
        let more = self.from.len() + self.from_omitted - from.len();
        if more > 0 {
            from.push(format!("{more} more"));
        }
        let through = match &self.to.skill {
            Some(skill) => format!("through `{skill}` to"),
            None => "to the channel".into(),
        };
        format!("what is read from {} can leave {through} `{}`", from.join(", "), self.to.place)
    }
}

fn directories(skills: &[SkillEntry]) -> impl Iterator<Item = (&SkillEntry, &DirectoryGrant)> {
    skills.iter().flat_map(|skill| skill.grant.directories.iter().map(move |directory| (skill, directory)))
}

fn hosts(skills: &[SkillEntry]) -> impl Iterator<Item = (&SkillEntry, &HostGrant)> {
    skills.iter().flat_map(|skill| skill.grant.hosts.iter().map(move |host| (skill, host)))
}

fn endpoint(skill: &SkillEntry, place: String, rule: &RuleRef) -> Endpoint {
    Endpoint { skill: Some(skill.name.clone()), place, line: rule.line }
}
