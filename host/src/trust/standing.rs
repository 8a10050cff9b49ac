//! How an agent's folder stands against what is trusted: what may run now, what changed, what waits.
//!
//! The rule: narrowing applies at once, widening and new bytes wait. So what may run is the trusted SOUL.md under the
//! restrictions of the one on disk, with the trusted bytes, in the trusted directories; and where the one on disk cannot
//! be understood, nothing.

mod summary;

use std::path::{Path, PathBuf};

use soulbound_runtime::grant::{DirectoryGrant, LostDirectory};
use soulbound_runtime::sandbox::files::{BoundFiles, DirectoryError, OpenRules};
use soulbound_runtime::skill::{Digest, SkillFolder, SkillSources};
use soulbound_runtime::soul::bytes_of;
use soulbound_runtime::{Denial, DenialId, Soul};

use super::change::{Amounts, Change, Lost};
use super::fingerprint::{Fingerprint, Look};
use super::manifest::{Manifest, TrustedSkill};
use super::trusted::Trusted;

pub(crate) use summary::Difference;

/// An agent's folder, held against what is trusted of it.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// What may run: bind these skills, with their bytes from the store. None: nothing may run.
    pub(crate) effective: Option<Soul>,
    /// Every difference, agent first.
    pub(crate) changes: Vec<Change>,
    /// Skills that are listed and may not run, with what a call of each is answered.
    pub(crate) refused: Vec<(String, Denial)>,
    /// The SOUL.md on disk, where it is not the trusted one and narrows it.
    pub(crate) narrowed_by: Option<Digest>,
    is_folder_gone: bool,
    soul: Fingerprint,
    skills: Vec<SkillStanding>,
    directories: Fingerprint,
}

/// One trusted skill's folder on disk.
#[derive(Debug, Clone)]
struct SkillStanding {
    name: String,
    is_gone: bool,
    changes: Vec<Change>,
    fingerprint: Fingerprint,
}

impl Standing {
    /// Looks at the folder.
    pub(crate) fn of(trusted: &Trusted, sources: &SkillSources, rules: &OpenRules) -> Self {
        Self::anew(trusted, sources, rules, &[])
    }

    /// Looks again, and reads only those skills anew that were touched.
    pub(crate) fn again(&self, trusted: &Trusted, sources: &SkillSources, rules: &OpenRules) -> Self {
        Self::anew(trusted, sources, rules, &self.skills)
    }

    fn anew(trusted: &Trusted, sources: &SkillSources, rules: &OpenRules, known: &[SkillStanding]) -> Self {
        let file = trusted.folder.join("SOUL.md");
        let mut standing = Self {
            effective: None,
            changes: Vec::new(),
            refused: Vec::new(),
            narrowed_by: None,
            is_folder_gone: !trusted.folder.is_dir(),
            // Before the content: a change in between is seen at the next look.
            soul: Fingerprint::take(vec![(file.clone(), Look::Content)]),
            skills: Vec::new(),
            directories: Fingerprint::take(directories(&trusted.folder, &trusted.manifest)),
        };
        standing.look_at_soul(trusted, &file);
        for skill in &trusted.manifest.skills {
            let old = known.iter().find(|old| old.name == skill.name && old.fingerprint.is_current());
            let found = old.cloned().unwrap_or_else(|| SkillStanding::of(skill, sources));
            standing.changes.extend(found.changes.iter().cloned());
            if found.is_gone {
                standing.refuse(&skill.name, gone(&trusted.id, &skill.name));
            }
            standing.skills.push(found);
        }
        let refused: Vec<String> = standing.refused.iter().map(|(name, _)| name.clone()).collect();
        if let Some(effective) = &mut standing.effective {
            effective.retain_skills(|skill| !refused.contains(&skill.name));
            standing.changes.extend(lose_moved(trusted, effective, rules));
        }
        standing
    }

    /// Whether nothing differs from what is trusted.
    pub(crate) fn is_as_trusted(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether something differs that an operator has to look at before the agent starts. A directory that cannot be opened
    /// is only lost: the operator's own settings may deny it, and it is back when it is back.
    pub(crate) fn has_to_be_looked_at(&self) -> bool {
        self.changes.iter().any(|change| !matches!(change.directory, Some(Lost::Closed | Lost::Denied)))
    }

    /// Whether the agent's whole folder is not where it was.
    pub(crate) fn is_folder_gone(&self) -> bool {
        self.is_folder_gone
    }

    /// Whether SOUL.md was not touched since: one system call, to be asked before each call.
    pub(crate) fn is_soul_current(&self) -> bool {
        self.soul.is_current()
    }

    /// Whether nothing at all was touched since: a system call a file.
    pub(crate) fn is_current(&self) -> bool {
        self.is_soul_current()
            && self.directories.is_current()
            && self.skills.iter().all(|skill| skill.fingerprint.is_current())
    }

    /// All of what was looked at, as it was before it was read.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let soul = self.soul.clone().and(&self.directories);
        self.skills.iter().fold(soul, |all, skill| all.and(&skill.fingerprint))
    }

    /// The paths to watch: where something may be that is not there now, too.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.fingerprint().paths().map(Path::to_owned).collect()
    }

    /// What a call of this skill is answered when it may not run for what this found; none when it may, or when SOUL.md
    /// does not list it.
    pub(crate) fn refusal(&self, skill: &str) -> Option<&Denial> {
        self.refused.iter().find(|(name, _)| name == skill).map(|(_, denial)| denial)
    }

    fn refuse(&mut self, skill: &str, denial: Denial) {
        if self.refusal(skill).is_none() {
            self.refused.push((skill.to_owned(), denial));
        }
    }

    /// Narrows the trusted SOUL.md by the one on disk.
    fn look_at_soul(&mut self, trusted: &Trusted, file: &Path) {
        let is_gone = self.is_folder_gone;
        let unusable = |standing: &mut Self, why: String| {
            let why = if is_gone {
                format!("the agent's folder `{}` is gone", trusted.folder.display())
            } else {
                why
            };
            let first = why.lines().next().unwrap_or_default().to_owned();
            standing.changes.push(Change::new(
                Amounts::Narrowing,
                None,
                &format!("nothing may run: {first}"),
            ));
            for skill in trusted.soul.skills() {
                let what = if is_gone { "folder is gone" } else { "SOUL.md cannot be used" };
                let message = format!("skill `{}` may not run: the agent's {what}", skill.name);
                let hint = if is_gone {
                    put_folder_back(&trusted.id)
                } else {
                    format!("mend {}, or `soulbound agents rollback {}`", file.display(), trusted.id)
                };
                standing.refuse(&skill.name, Denial::new(DenialId::SkillNotTrusted, message).hint(hint));
            }
        };
        let bytes = match bytes_of(file) {
            Ok(bytes) => bytes,
            Err(error) => return unusable(self, error.to_string()),
        };
        let digest = Digest::of(&bytes);
        if digest == trusted.manifest.soul {
            self.effective = Some(trusted.soul.clone());
            return;
        }
        self.changes.push(Change::of_file(None, "SOUL.md", Some(trusted.manifest.soul), Some(digest)));
        let disk = match Soul::parse("SOUL.md", &bytes) {
            Ok(disk) => disk,
            Err(errors) => return unusable(self, errors.to_string()),
        };
        self.changes.extend(trusted.soul.differences(&disk, &trusted.folder).into_iter().map(Change::from));
        for skill in disk.skills().iter().filter(|skill| trusted.soul.skill(&skill.name).is_none()) {
            let message = format!("skill `{}` is new in SOUL.md and not trusted yet", skill.name);
            let hint = format!("an operator can look at it with `soulbound agents diff {}`", trusted.id);
            let denial = Denial::new(DenialId::SkillNotTrusted, message).hint(hint);
            self.refuse(&skill.name, skill.grant.line.clone().into_iter().fold(denial, Denial::rule));
        }
        self.effective = Some(trusted.soul.narrowed_by(&disk, &trusted.folder));
        self.narrowed_by = Some(digest);
    }
}

impl SkillStanding {
    fn of(skill: &TrustedSkill, sources: &SkillSources) -> Self {
        let mut found = Self {
            name: skill.name.clone(),
            is_gone: false,
            changes: Vec::new(),
            fingerprint: Fingerprint::default(),
        };
        let mut taken = Fingerprint::take(places(skill, sources));
        match sources.locate(&skill.name) {
            None => {
                found.is_gone = true;
                found.change(Amounts::Narrowing, "its folder is gone, so it may not run");
            }
            Some((origin, path)) => match SkillFolder::read(&path) {
                Ok(folder) => {
                    let now = TrustedSkill::of(&skill.name, origin, &folder, &[]);
                    found.changes = skill.file_changes(&now);
                    let more = now.files.iter().map(|file| (path.join(&file.path), Look::Content));
                    taken = taken.and(&Fingerprint::take(more.collect()));
                }
                Err(error) => found.change(Amounts::Bytes, &format!("its folder cannot be used: {error}")),
            },
        }
        found.fingerprint = taken;
        found
    }

    fn change(&mut self, effect: Amounts, text: &str) {
        self.changes.push(Change::new(effect, Some(&self.name), text));
    }
}

/// What the trusted files are watched by: every file, every folder of them, and every place where the skill could appear.
fn places(skill: &TrustedSkill, sources: &SkillSources) -> Vec<(PathBuf, Look)> {
    let mut watched = Vec::new();
    for place in sources.paths(&skill.name) {
        let is_there = place.symlink_metadata().is_ok();
        watched.push((place.clone(), Look::Content));
        if !is_there {
            continue;
        }
        // The first that is there is the one; what comes after it is no matter.
        watched.push((place.clone(), Look::Target));
        let mut folders: Vec<&str> =
            skill.files.iter().filter_map(|file| Some(file.path.rsplit_once('/')?.0)).collect();
        folders.dedup();
        for below in folders {
            let mut below = Some(below);
            while let Some(folder) = below {
                watched.push((place.join(folder), Look::Content));
                below = folder.rsplit_once('/').map(|(above, _)| above);
            }
        }
        watched.extend(skill.files.iter().map(|file| (place.join(&file.path), Look::Content)));
        break;
    }
    watched
}

/// What the granted directories are watched by: where they were, and where SOUL.md says that they are.
fn directories(folder: &Path, manifest: &Manifest) -> Vec<(PathBuf, Look)> {
    let all = manifest.skills.iter().flat_map(|skill| &skill.directories);
    all.flat_map(|directory| [folder.join(&directory.path), directory.real.clone()])
        .map(|path| (path, Look::Identity))
        .collect()
}

/// Every trusted path of an agent: what a list of many agents looks at instead of reading them.
pub(crate) fn trusted_paths(
    folder: &Path,
    manifest: &Manifest,
    sources: &SkillSources,
) -> Vec<(PathBuf, Look)> {
    let mut paths = vec![(folder.join("SOUL.md"), Look::Content)];
    paths.extend(directories(folder, manifest));
    paths.extend(manifest.skills.iter().flat_map(|skill| places(skill, sources)));
    paths
}

/// The stamps of the trusted files, if what is on disk is what is trusted; none otherwise, or while it is too young to tell.
pub(crate) fn stamps_if_as_trusted(trusted: &Trusted, sources: &SkillSources) -> Option<Digest> {
    let stamps = Fingerprint::take(trusted_paths(&trusted.folder, &trusted.manifest, sources)).digest()?;
    // Where directories may be is no part of the question here; that they are the trusted ones is.
    Standing::of(trusted, sources, &OpenRules::default()).is_as_trusted().then_some(stamps)
}

/// Takes away every directory that cannot be opened, or is not the one that was trusted.
fn lose_moved(trusted: &Trusted, effective: &mut Soul, rules: &OpenRules) -> Vec<Change> {
    let mut lost: Vec<(String, String, LostDirectory)> = Vec::new();
    let mut changes = Vec::new();
    for skill in effective.skills() {
        let mut lose = |grant: &DirectoryGrant, how: Lost, why: &str, message: &str, hint: &str| {
            let mut change =
                Change::new(Amounts::Narrowing, Some(&skill.name), &format!("loses `{}`: {why}", grant.path));
            change.directory = Some(how);
            changes.push(change);
            let gone = LostDirectory::new(&grant.guest, grant.rule.clone(), message, hint);
            lost.push((skill.name.clone(), grant.path.clone(), gone));
        };
        let mut grants = skill.grant.directories.clone();
        let opened = loop {
            match BoundFiles::open(&grants, &trusted.folder, rules) {
                Ok(files) => break files.opened(),
                Err(errors) => {
                    let before = grants.len();
                    let mut index = 0;
                    grants.retain(|grant| {
                        let error = errors.iter().find(|error| error.index == index);
                        index += 1;
                        if let Some(DirectoryError { message, .. }) = error {
                            // Why a directory that is there cannot be had is the operator's to know (their ceiling, places of
                            // this machine); whoever calls is told that it cannot.
                            let (told, hint) = match is_there(trusted, grant) {
                                true => (cannot_be_had(grant), why(&trusted.id)),
                                false => (
                                    format!("directory `{}` does not exist", grant.path),
                                    put_back(&trusted.id),
                                ),
                            };
                            lose(grant, closed_by(trusted, grant, rules), message, &told, &hint);
                        }
                        error.is_none()
                    });
                    // Errors that name none of them are errors of all.
                    if grants.len() == before {
                        let message = "the directories of the skill cannot be opened together";
                        for grant in grants.drain(..) {
                            lose(&grant, Lost::Closed, message, message, &put_back(&trusted.id));
                        }
                    }
                }
            }
        };
        for directory in opened.iter().filter(|directory| !trusted.is_trusted(&skill.name, directory)) {
            let message =
                format!("`{}` is another directory than the one that was trusted", directory.grant.path);
            let why = "path.moved: it is not the directory that was trusted";
            lose(&directory.grant, Lost::Moved, why, &message, &put_back(&trusted.id));
        }
    }
    effective.lose_directories(|skill, grant| {
        let mut all = lost.iter();
        all.find(|(name, path, _)| name == skill && *path == grant.path).map(|(_, _, lost)| lost.clone())
    });
    changes
}

/// Whether a directory that cannot be had could be, if the operator's settings denied none.
fn closed_by(trusted: &Trusted, grant: &DirectoryGrant, rules: &OpenRules) -> Lost {
    if rules.deny.is_empty() {
        return Lost::Closed;
    }
    let mut lifted = rules.clone();
    lifted.deny.clear();
    match BoundFiles::open(std::slice::from_ref(grant), &trusted.folder, &lifted) {
        Ok(_) => Lost::Denied,
        Err(_) => Lost::Closed,
    }
}

/// Whether anything is where a granted directory should be.
fn is_there(trusted: &Trusted, grant: &DirectoryGrant) -> bool {
    trusted.folder.join(&grant.path).symlink_metadata().is_ok()
}

fn cannot_be_had(grant: &DirectoryGrant) -> String {
    format!("directory `{}` is not to be had at the moment", grant.path)
}

/// Where an operator reads why.
fn why(id: &str) -> String {
    format!("`soulbound agents diff {id}` says why")
}

/// What helps where an agent's whole folder is gone: trusted is one that lies where it lay.
pub(crate) fn put_folder_back(id: &str) -> String {
    format!(
        "put it back where it was; from another place: `soulbound agents remove {id}`, then `soulbound agents add DIR`"
    )
}

/// What helps against a directory that is gone or another one: its bytes are nobody's to put back.
pub(crate) fn put_back(id: &str) -> String {
    format!(
        "put the trusted directory back where it was; `soulbound agents trust {id}` accepts another in its place"
    )
}

fn gone(id: &str, skill: &str) -> Denial {
    Denial::new(DenialId::SkillNotTrusted, format!("skill `{skill}` may not run: its folder is gone"))
        .hint(format!("put it back, or `soulbound agents rollback {id}`"))
}
