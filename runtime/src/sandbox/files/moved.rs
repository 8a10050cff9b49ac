//! Whether a granted path still leads to the directory that was opened when the skill was bound.
//!
//! All access goes through the handle, so a swapped path can never widen a grant. But a person who looks at the path
//! would see another directory than the skill does: that call does not run (`path.moved`).
//!
//! The rule: asked at the start of each call, by opening the path anew in exactly the way it was opened first.

use rustix::io::Errno;

use super::bind::BoundFiles;
use super::fault::IMPORT;
use super::resolve::Identity;
use crate::denial::{Denial, DenialId};
use crate::visible;

impl BoundFiles {
    /// Checks that each granted path still leads to the same directory: one or two system calls a grant.
    ///
    /// # Errors
    ///
    /// `path.moved`, naming the first that does not; `busy` when the system has no descriptor or memory to look with.
    pub fn verify(&self, skill: &str) -> Result<(), Box<Denial>> {
        let Some(folder) = self.folder() else { return Ok(()) };
        let folder_moved = !folder.is_still_there();
        for grant in self.grants() {
            let relative = !grant.grant.path.starts_with('/');
            let opened = folder.open(&grant.grant.path);
            if let Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) = opened {
                // Nobody moved anything: an operator who looked for it would look for what is not there.
                let message = format!("the machine has too little left to open a directory: {error}");
                return Err(Box::new(Denial::new(DenialId::Busy, message)));
            }
            let same = !(relative && folder_moved)
                && opened.is_ok_and(|handle| {
                    rustix::fs::fstat(&handle).is_ok_and(|stat| Identity::of(&stat) == grant.identity)
                });
            if !same {
                let path = visible::quoted_target(&grant.grant.path);
                let message =
                    format!("skill `{skill}` may not use {path}: it is not the directory that was bound");
                let denial = Denial::new(DenialId::PathMoved, message)
                    .imported(IMPORT)
                    .rule(grant.grant.rule.clone())
                    .hint("put the directory back, or load the agent again");
                return Err(Box::new(denial));
            }
        }
        Ok(())
    }
}
