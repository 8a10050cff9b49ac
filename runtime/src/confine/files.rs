//! Files under Landlock: every right handled, and granted beneath the handed directories only; none for a process that has
//! only its pipes. No TCP port, abstract socket or process outside either.
//!
//! What the kernel tells apart is what stands here. Hidden and protected names, hard links and content are judged by the
//! runtime alone ([`crate::sandbox::files`]); so is that a `create` grant overwrites nothing.

use std::os::fd::AsFd;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
};

use crate::grant::DirectoryMode;

/// The newest version whose rights are handled. An older kernel handles those of them that it knows.
const NEWEST: ABI = ABI::V6;

/// What the kernel lets be done beneath a directory of this mode. Never: run a program, make a link or a special file, or
/// speak to a device.
fn rights(mode: DirectoryMode) -> BitFlags<AccessFs> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let change = AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::MakeDir;
    match mode {
        DirectoryMode::Read => read,
        DirectoryMode::Create => change,
        DirectoryMode::Write => read | change | AccessFs::RemoveFile | AccessFs::RemoveDir | AccessFs::Refer,
    }
}

/// Takes every right away but these. The kernel's version, or `None` where it has no Landlock.
pub(super) fn only<H: AsFd>(
    handles: impl IntoIterator<Item = (H, DirectoryMode)>,
) -> Result<Option<u32>, RulesetError> {
    let rule = |(handle, mode)| Ok::<_, RulesetError>(PathBeneath::new(handle, rights(mode)));
    let rules = handles.into_iter().map(rule);
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(rules)?
        .restrict_self()?;
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, kernel_abi } => {
            let newer = kernel_abi.and_then(|version| u32::try_from(version).ok());
            Some(newer.unwrap_or(effective_abi as u32))
        }
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => None,
    })
}

/// Takes every right away.
pub(super) fn none() -> Result<Option<u32>, RulesetError> {
    only(std::iter::empty::<(std::os::fd::BorrowedFd<'_>, DirectoryMode)>())
}
