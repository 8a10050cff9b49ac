//! Keys that the contract knows and this build does not enforce. Accepting them would promise what nothing keeps.

use anyhow::{Result, bail};

use super::file::File;

/// Refuses a file that has one.
pub(super) fn refuse(file: &File) -> Result<()> {
    let webhook = file.approvals.as_ref().and_then(|approvals| approvals.webhook.as_deref());
    let sections = [
        // Delivery over TLS comes with the channels; until then only a program on this machine can be told.
        (
            "[approvals] webhook",
            webhook.is_some_and(|url| url.starts_with("https:")),
            "only an address of this machine can be told yet",
        ),
        ("[[alerts]]", file.alerts.is_some(), "no alert is sent yet"),
    ];
    for (section, there, why) in sections {
        if there {
            bail!(
                "this build does not enforce `{section}`: {why}\n  hint: remove the section, or use a build that enforces it"
            );
        }
    }
    Ok(())
}
