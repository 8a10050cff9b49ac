//! What came of a run, as one value; one file for each form in which it is said.

pub(crate) mod json;
pub(crate) mod junit;
pub(crate) mod sarif;
pub(crate) mod table;

use super::attack::{Attack, Class};
use super::oracle::Verdict;
use super::probe::Target;

/// One attack and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The attack's id.
    pub(crate) id: String,
    /// Its class.
    pub(crate) class: Class,
    /// Under which skill's grant.
    pub(crate) skill: String,
    /// The skill's line in SOUL.md; 0 for none.
    pub(crate) line: u32,
    /// What it does.
    pub(crate) what: String,
    /// What became of it.
    pub(crate) verdict: Verdict,
}

impl Finding {
    /// Of an attack on this skill's grant.
    pub(crate) fn new(attack: &Attack, skill: &str, line: u32, verdict: Verdict) -> Self {
        Self {
            id: attack.id.clone(),
            class: attack.class,
            skill: skill.to_owned(),
            line,
            what: attack.what.clone(),
            verdict,
        }
    }

    /// Of an attack by a probe.
    pub(crate) fn of(target: &Target, attack: &Attack, verdict: Verdict) -> Self {
        Self::new(attack, &target.name, target.line, verdict)
    }
}

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// As the operator named the agent.
    pub(crate) named: String,
    /// The agent's id.
    pub(crate) agent: String,
    /// Its SOUL.md.
    pub(crate) file: String,
    /// What made the canaries.
    pub(crate) seed: u64,
    /// Whether the directories were the real ones.
    pub(crate) live: bool,
    /// How long it took.
    pub(crate) seconds: f64,
    /// Every attack.
    pub(crate) findings: Vec<Finding>,
    /// What a reader has to know beside: what was left out, what cannot run.
    pub(crate) notes: Vec<String>,
}

/// How many attacks came to what.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Count {
    /// All, without controls.
    pub(crate) tried: u64,
    /// Refused by a denial.
    pub(crate) refused: u64,
    /// Neither refused nor with an effect.
    pub(crate) no_effect: u64,
    /// With the effect that the grant allows.
    pub(crate) residual: u64,
    /// With an effect that it does not.
    pub(crate) escaped: u64,
    /// What could not be tried here.
    pub(crate) not_tried: u64,
    /// Controls that failed.
    pub(crate) blind: u64,
    /// By which ids, the most frequent first.
    #[serde(skip)]
    pub(crate) ids: Vec<(&'static str, u64)>,
}

impl Count {
    /// Of these findings.
    pub(crate) fn of<'a>(findings: impl Iterator<Item = &'a Finding>) -> Self {
        let mut count = Self::default();
        for finding in findings {
            count.tried += u64::from(!matches!(
                finding.verdict,
                Verdict::Allowed | Verdict::Blind(_) | Verdict::NotTried(_)
            ));
            match &finding.verdict {
                Verdict::Refused(ids) => {
                    count.refused += 1;
                    for id in ids {
                        match count.ids.iter_mut().find(|(known, _)| known == id) {
                            Some((_, times)) => *times += 1,
                            None => count.ids.push((id, 1)),
                        }
                    }
                }
                Verdict::NoEffect => count.no_effect += 1,
                Verdict::Allowed => {}
                Verdict::Residual(_) => count.residual += 1,
                Verdict::Escaped(_) => count.escaped += 1,
                Verdict::NotTried(_) => count.not_tried += 1,
                Verdict::Blind(_) => count.blind += 1,
            }
        }
        count.ids.sort_by_key(|(id, times)| (std::cmp::Reverse(*times), *id));
        count
    }
}

impl Report {
    /// Of a run that begins.
    pub(crate) fn new(named: &str, agent: &str, file: &str, seed: u64) -> Self {
        Self {
            named: named.to_owned(),
            agent: agent.to_owned(),
            file: file.to_owned(),
            seed,
            live: false,
            seconds: 0.0,
            findings: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Everything together.
    pub(crate) fn total(&self) -> Count {
        Count::of(self.findings.iter())
    }

    /// What became of each class that there is anything to say of.
    pub(crate) fn classes(&self) -> Vec<(Class, Count)> {
        let of = |class: &Class| {
            let found = self.findings.iter().filter(|finding| finding.class == *class);
            (*class, Count::of(found))
        };
        let told = |(_, count): &(Class, Count)| count.tried + count.blind + count.not_tried > 0;
        Class::ALL.iter().map(of).filter(told).collect()
    }

    /// The skills in the order of the findings.
    pub(crate) fn skills(&self) -> Vec<&str> {
        let mut skills: Vec<&str> = Vec::new();
        for finding in &self.findings {
            if !skills.contains(&finding.skill.as_str()) {
                skills.push(&finding.skill);
            }
        }
        skills
    }

    /// The command that does one attack again.
    pub(crate) fn again(&self, finding: &Finding) -> String {
        let (agent, skill, id, seed) = (&self.named, &finding.skill, &finding.id, self.seed);
        let live = if self.live { " --live" } else { "" };
        format!("soulbound redteam {agent}{live} --skill {skill} --attack {id} --seed {seed}")
    }
}

#[cfg(test)]
mod tests;
