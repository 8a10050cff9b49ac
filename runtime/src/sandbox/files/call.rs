//! One call's view of the filesystem: the bound directories, the call's witness, its quota.
//!
//! The rule: an operation's outcome leaves only through [`CallFiles::conclude`], which records it first. So nothing
//! that names a path goes unrecorded.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};

use wasmtime::component::{HasData, Linker, Resource, ResourceTable, ResourceType};
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::p2::{FsError, FsResult};

use super::bind::BoundFiles;
use super::fault::{Fault, Refusal, Verb, Who};
use super::node::OpenFile;
use super::quota::Quota;
use super::stages::Stages;
use crate::denial::Denial;
use crate::sandbox::overseer::{AccessKind, Effect, FileChange};
use crate::sandbox::witness::Witness;

/// The interface of the bindings that we implement.
const TYPES: &str = "wasi:filesystem/types@0.2.12";

/// What one call holds of its skill's directories. Building it costs no system call.
pub(crate) struct CallFiles {
    bound: Arc<BoundFiles>,
    witness: Arc<Witness>,
    quota: Arc<Quota>,
    stages: Arc<Stages>,
    seal: OnceLock<RandomState>,
}

/// The view that the WASI traits are implemented on.
pub(crate) struct FilesView<'a> {
    /// The call's files.
    pub(crate) files: &'a mut CallFiles,
    /// The table that holds its descriptors and streams.
    pub(crate) table: &'a mut ResourceTable,
}

/// The projection from a store's data to a [`FilesView`], for the linker.
struct HasFiles;

impl HasData for HasFiles {
    type Data<'a> = FilesView<'a>;
}

/// Links `wasi:filesystem` 0.2 for a store whose data has a [`FilesView`].
///
/// # Errors
///
/// When the linker has a `wasi:filesystem` already.
pub(crate) fn add_to_linker<T: Send + 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> FilesView<'_>,
) -> wasmtime::Result<()> {
    types::add_to_linker::<T, HasFiles>(linker, view)?;
    drop_of_descriptors(linker, view)?;
    preopens::add_to_linker::<T, HasFiles>(linker, view)
}

/// The bindings' drop of a descriptor cannot wait, and the last drop puts in place what was written: this one can.
fn drop_of_descriptors<T: Send + 'static>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> FilesView<'_>,
) -> wasmtime::Result<()> {
    let ty = ResourceType::host::<types::Descriptor>();
    // Defined already, so a second definition is refused; if it is not, the bindings are of another version by now.
    if linker.instance(TYPES)?.resource("descriptor", ty, |_, _| Ok(())).is_ok() {
        return Err(wasmtime::Error::msg("the bindings of `wasi:filesystem` have another version"));
    }
    linker.allow_shadowing(true);
    linker.instance(TYPES)?.resource_async("descriptor", ty, move |mut store, descriptor| {
        Box::new(async move { view(store.data_mut()).close(Resource::new_own(descriptor)).await })
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

impl CallFiles {
    /// The files of one call, which may write `quota` bytes.
    pub(crate) fn new(bound: Arc<BoundFiles>, witness: Arc<Witness>, quota: u64) -> Self {
        let quota = Arc::new(Quota::new(Arc::clone(&bound), Arc::clone(&witness), quota));
        let stages = Stages::new(Arc::clone(&bound), Arc::clone(&witness));
        Self { bound, witness, quota, stages, seal: OnceLock::new() }
    }

    pub(super) fn bound(&self) -> &BoundFiles {
        &self.bound
    }

    pub(super) fn quota(&self) -> &Arc<Quota> {
        &self.quota
    }

    pub(super) fn stages(&self) -> &Arc<Stages> {
        &self.stages
    }

    /// Puts in place what was written to an open file, with the guest waiting for the answer.
    pub(super) async fn put(&self, file: &OpenFile) -> Result<(), Fault> {
        match file.stage() {
            Some(stage) => self.stages.put(stage).await.map_err(|unplaced| unplaced.fault),
            None => Ok(()),
        }
    }

    /// Asks the overseer before a change that carries no content.
    pub(super) async fn ask(
        &self,
        change: FileChange,
        path: String,
        to: Option<String>,
    ) -> Result<(), Fault> {
        let effect = Effect::Change { change, path, to, content: None };
        self.witness
            .before_effect(&effect)
            .await
            .map(drop)
            .map_err(|denial| Fault::Overseen(Box::new(denial)))
    }

    /// Records what came of an operation on `target`, and turns a fault into what the guest is told.
    pub(super) fn conclude<T>(&self, verb: Verb, target: &str, answer: Result<T, Fault>) -> FsResult<T> {
        answer.map_err(|fault| self.fail(verb, target, fault)).inspect(|_| self.allowed(verb, target))
    }

    /// Records an access that the grant covers.
    pub(super) fn allowed(&self, verb: Verb, target: &str) {
        self.witness.allowed(AccessKind::File, target, verb.access());
    }

    /// Records a fault and turns it into what the guest is told. One that is no denial is an access that failed.
    pub(super) fn fail(&self, verb: Verb, target: &str, fault: Fault) -> FsError {
        match fault {
            Fault::Failed(code) => {
                self.witness.failed(AccessKind::File, target, verb.access(), code.name());
                code.into()
            }
            fault => self.refused(verb, target, fault),
        }
    }

    /// Records a fault only if it is a denial: for what happens on an open file, whose opening is on record.
    pub(super) fn refused(&self, verb: Verb, target: &str, fault: Fault) -> FsError {
        match fault {
            Fault::Failed(code) => code.into(),
            Fault::Overseen(denial) => {
                self.deny(verb, target, *denial);
                types::ErrorCode::NotPermitted.into()
            }
            Fault::Denied(refusal) => {
                let code = refusal.code();
                self.deny(verb, target, self.denial(refusal, verb, target));
                code.into()
            }
        }
    }

    /// A hash that means something within this call only: a guest learns no device and no inode number from it.
    pub(super) fn sealed(&self, value: impl std::hash::Hash) -> types::MetadataHashValue {
        let seal = self.seal.get_or_init(RandomState::new);
        types::MetadataHashValue {
            lower: seal.hash_one((0_u8, &value)),
            upper: seal.hash_one((1_u8, &value)),
        }
    }

    fn denial(&self, refusal: Refusal, verb: Verb, target: &str) -> Denial {
        refusal.denial(self.bound.who(&self.witness.skill, &self.witness.agent), verb, target)
    }

    fn deny(&self, verb: Verb, target: &str, denial: Denial) {
        self.witness.denied(AccessKind::File, target, verb.access(), denial);
    }
}

impl<'a> Who<'a> {
    /// The skill of a call's witness, on the grants that it was bound to.
    pub(super) fn of(bound: &'a BoundFiles, witness: &'a Witness) -> Self {
        bound.who(&witness.skill, &witness.agent)
    }
}
