//! No file at all, and no TCP port, abstract socket or process outside: Landlock with every right handled and none granted.

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, Ruleset, RulesetAttr,
    RulesetError, Scope,
};

/// The newest version whose rights are handled. An older kernel handles those of them that it knows.
const NEWEST: ABI = ABI::V6;

/// Takes every right away. The kernel's version, or `None` where it has no Landlock.
pub(super) fn none() -> Result<Option<u32>, RulesetError> {
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .restrict_self()?;
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, kernel_abi } => {
            let newer = kernel_abi.and_then(|version| u32::try_from(version).ok());
            Some(newer.unwrap_or(effective_abi as u32))
        }
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => None,
    })
}
