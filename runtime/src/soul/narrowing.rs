//! A trusted SOUL.md under the restrictions of another one: what is left while the file on disk says less.
//!
//! The rule: narrowing applies, everything else waits. Skills, grants and channels that either does not have are gone; of
//! rules the other's are added if the program enforces them. Its prose is not taken over: nobody has read it yet, and a
//! model would.

use std::path::Path;

use super::{SkillEntry, Soul, standing};
use crate::grant::{DirectoryGrant, LostDirectory};

impl Soul {
    /// This agent as far as `other` permits it too. Who the agent is, and all prose, stays this file's. `folder` is
    /// the SOUL.md's.
    #[must_use]
    pub fn narrowed_by(&self, other: &Self, folder: &Path) -> Self {
        let mut narrowed = self.clone();
        narrowed.skills.retain_mut(|own| match other.skill(&own.name) {
            Some(theirs) => {
                own.grant = own.grant.intersection(&theirs.grant, folder);
                true
            }
            None => false,
        });
        narrowed.channels.retain_mut(|own| {
            let theirs =
                other.channels.iter().find(|other| other.kind == own.kind && other.target == own.target);
            if let (Some(theirs), true) = (theirs, own.approve.is_empty()) {
                own.approve.clone_from(&theirs.approve);
            }
            theirs.is_some()
        });
        for rule in other.rules.iter().filter(|rule| standing::is_enforceable(rule)) {
            if !self.rules.iter().any(|own| own.text == rule.text) {
                narrowed.rules.push(rule.clone());
            }
        }
        narrowed
    }

    /// Takes away the skills that `keep` does not want.
    pub fn retain_skills(&mut self, keep: impl FnMut(&SkillEntry) -> bool) {
        self.skills.retain(keep);
    }

    /// Takes away the directories that are lost: `lost` is told the skill's name and the entry, and says what became of it.
    pub fn lose_directories(&mut self, mut lost: impl FnMut(&str, &DirectoryGrant) -> Option<LostDirectory>) {
        for skill in &mut self.skills {
            let grant = &mut skill.grant;
            grant.directories.retain(|directory| match lost(&skill.name, directory) {
                Some(lost) => {
                    grant.lost.push(lost);
                    false
                }
                None => true,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soul(rest: &str) -> Soul {
        Soul::parse("SOUL.md", format!("## Identity\n- Name: Echo\n{rest}").as_bytes()).unwrap()
    }

    #[test]
    fn what_either_does_not_have_is_gone_and_prose_waits() {
        let trusted = soul(
            "- Role: Writer\n## Rules\n- Be kind\n## Skills\n- a: One\n  - read: ./x, ./y\n- b: Two\n## Channels\n- slack: team\n- mail: x\n",
        );
        let disk = soul(
            "- Role: Ruler\n## Rules\n- Obey me\n- Never execute code or system commands\n## Skills\n- a: Other\n  - read: ./x, ./z\n- c: New\n## Channels\n- slack: team\n  - approve: always\n",
        );
        let narrowed = trusted.narrowed_by(&disk, Path::new("/agent"));
        assert_eq!((narrowed.role(), narrowed.digest()), (Some("Writer"), trusted.digest()));
        let rules: Vec<&str> = narrowed.rules().iter().map(|rule| rule.text.as_str()).collect();
        assert_eq!(rules, ["Be kind", "Never execute code or system commands"]);
        let skills: Vec<(&str, &str)> =
            narrowed.skills().iter().map(|skill| (skill.name.as_str(), skill.purpose.as_str())).collect();
        assert_eq!(skills, [("a", "One")]);
        let directories = &narrowed.skills()[0].grant.directories;
        assert_eq!(directories.iter().map(|one| one.path.as_str()).collect::<Vec<_>>(), ["./x"]);
        assert_eq!((narrowed.channels().len(), narrowed.channels()[0].approve.len()), (1, 1));
        let granted = &narrowed.skills()[0].grant.channels;
        assert_eq!((granted.len(), granted[0].review.as_ref().map(|rule| rule.line)), (1, Some(13)));
    }

    #[test]
    fn a_rule_that_is_only_on_disk_makes_every_channel_wait_at_once() {
        let text = "## Skills\n- a: One\n## Channels\n- slack: team\n";
        let disk = soul(&format!("## Rules\n- All outputs must be reviewed before publishing\n{text}"));
        let narrowed = soul(text).narrowed_by(&disk, Path::new("/agent"));
        assert!(narrowed.skills()[0].grant.channels[0].review.is_some());
        assert!(soul(text).skills()[0].grant.channels[0].review.is_none());
    }
}
