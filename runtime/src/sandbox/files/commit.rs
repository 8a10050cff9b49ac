//! Putting what a stage holds in place: judged, asked, judged again, done.
//!
//! A person may take minutes. So a file is judged before the question, that nobody is asked for what may not be, and after it,
//! that what was approved is what happens: the same file, under the same path, unchanged by anybody else since its content
//! was taken up; a new file's name still free.
//!
//! The rule: what the overseer saw is what lands on the disk, or nothing does.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::fs::Stat;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::fault::{Fault, Verb, Who};
use super::land;
use super::resolve::{BoundGrant, Slot};
use super::stage::{Birth, Due, Stage, Stamp, Whole};
use super::stages::Stages;
use crate::denial::{Denial, DenialId};
use crate::sandbox::overseer::{AccessKind, Content, Effect, FileChange, Permit};
use crate::visible;

/// Something that was not put in place.
#[derive(Debug)]
pub(super) struct Unplaced {
    pub(super) verb: Verb,
    /// As the guest sees it.
    pub(super) path: String,
    pub(super) fault: Fault,
}

impl Stages {
    /// Puts in place what a stage holds, and records it if that worked.
    pub(super) async fn put(&self, stage: &Stage) -> Result<(), Box<Unplaced>> {
        // Deleted, or replaced by a rename: nobody can open it by a name any more, so there is nothing to be asked.
        let nameless =
            stage.birth().is_none() && rustix::fs::fstat(&*stage.file()).is_ok_and(|stat| stat.st_nlink == 0);
        if nameless {
            return Ok(());
        }
        let mut path = stage.path.clone();
        let (verb, answer) = match stage.take_due() {
            None => return Ok(()),
            Some(Due::Write(whole)) => (Verb::Write, self.write(stage, whole, &mut path).await),
            Some(Due::Create(birth, bytes)) => {
                (Verb::Create, self.create(stage, &birth, bytes, &mut path).await)
            }
        };
        match answer {
            Ok(new) => {
                stage.landed(new);
                self.witness.allowed(AccessKind::File, &path, verb.access());
                Ok(())
            }
            Err(fault) => Err(Box::new(Unplaced { verb, path, fault })),
        }
    }

    /// The same where the guest cannot be told: a refusal becomes the call's outcome.
    pub(super) async fn put_untold(&self, stage: &Stage) {
        let Err(unplaced) = self.put(stage).await else { return };
        let Unplaced { verb, path, fault } = *unplaced;
        let who = Who::of(&self.bound, &self.witness);
        let denial = match fault {
            Fault::Denied(refusal) => refusal.denial(who, verb, &path),
            Fault::Overseen(denial) => *denial,
            Fault::Failed(code) => not_done(who.skill, &path, code),
        };
        self.witness.denied(AccessKind::File, &path, verb.access(), denial.clone());
        self.witness.withhold(denial);
    }

    async fn write(&self, stage: &Stage, whole: Whole, path: &mut String) -> Result<Option<OwnedFd>, Fault> {
        let (grant, file) = (&stage.grant, stage.file());
        let real = judge(grant, &file, whole.stamp, path)?;
        let bytes = self.ask(FileChange::Write, path, whole.bytes).await?;
        if judge(grant, &file, whole.stamp, &mut String::new())? != real {
            return Err(ErrorCode::Busy.into());
        }
        land::overwrite(&file, &bytes.0)?;
        make_durable(stage, &file)?;
        Ok(None)
    }

    async fn create(
        &self,
        stage: &Stage,
        birth: &Arc<Birth>,
        bytes: Vec<u8>,
        path: &mut String,
    ) -> Result<Option<OwnedFd>, Fault> {
        let (grant, file) = (&stage.grant, stage.file());
        let real = judge_new(grant, birth, path)?.real();
        let bytes = self.ask(FileChange::Create, path, bytes).await?;
        let slot = judge_new(grant, birth, &mut String::new())?;
        if slot.real() != real {
            return Err(ErrorCode::Busy.into());
        }
        let new = land::create(&slot, &file, birth.linkable, &bytes.0)?;
        make_durable(stage, &new)?;
        Ok(Some(new))
    }

    /// Asks with the whole content; the answer is what may be written.
    async fn ask(&self, change: FileChange, path: &str, bytes: Vec<u8>) -> Result<Content, Fault> {
        let content = Content(bytes.into());
        let effect =
            Effect::Change { change, path: path.to_owned(), to: None, content: Some(content.clone()) };
        match self.witness.before_effect(&effect).await {
            Ok(Permit::Unchanged) => Ok(content),
            Ok(Permit::Masked(masked)) => Ok(masked),
            Err(denial) => Err(Fault::Overseen(Box::new(denial))),
        }
    }
}

/// Where an open file is now, if it may be changed and nobody else has changed it. `path` is what the guest calls it.
fn judge(grant: &BoundGrant, file: &OwnedFd, stamp: Stamp, path: &mut String) -> Result<PathBuf, Fault> {
    let (stat, real): (Stat, PathBuf) = grant.judge_held(file)?;
    *path = grant.guest_path(&real);
    grant.judge_change(".", &real)?;
    grant.judge_changeable(&stat)?;
    if Stamp::of(&stat) != stamp {
        return Err(ErrorCode::Busy.into());
    }
    Ok(real)
}

/// The name of a new file, if it may be made there and nothing is there.
fn judge_new(grant: &BoundGrant, birth: &Birth, path: &mut String) -> Result<Slot, Fault> {
    let slot = grant.find_slot(&birth.parent.handle, &birth.name)?;
    *path = grant.guest_path(&slot.real());
    grant.judge_change(&birth.name, &slot.real())?;
    if slot.there.is_some() {
        return Err(ErrorCode::Exist.into());
    }
    Ok(slot)
}

fn make_durable(stage: &Stage, file: &OwnedFd) -> Result<(), Fault> {
    if stage.durable.load(Ordering::Relaxed) {
        rustix::fs::fsync(file)?;
    }
    Ok(())
}

/// What a model is told of a write that its skill takes for done.
fn not_done(skill: &str, path: &str, code: ErrorCode) -> Denial {
    let why = match code {
        ErrorCode::Busy => "it was changed meanwhile",
        ErrorCode::Exist => "something else is there by now",
        ErrorCode::InsufficientSpace | ErrorCode::Quota => "there is no space for it",
        ErrorCode::NoEntry => "it is not there any more",
        _ => "the file system refused it",
    };
    let message =
        format!("what skill `{skill}` wrote to {} is not there: {why}", visible::quoted_target(path));
    Denial::new(DenialId::EffectFailed, message)
}
