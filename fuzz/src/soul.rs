//! SOUL.md: what is accepted is granted as it stands there, reads back from what is shown, and differs in nothing from
//! itself.

use std::path::Path;

use soulbound_runtime::Soul;
use soulbound_runtime::grant::{DirectoryGrant, HostGrant};
use soulbound_runtime::soul::Effect;

/// Reads the bytes as a SOUL.md.
pub fn run(bytes: &[u8]) {
    let soul = match Soul::parse("SOUL.md", bytes) {
        Ok(soul) => soul,
        Err(errors) => {
            assert!(!errors.errors.is_empty(), "refused without a reason");
            assert!(!errors.to_string().is_empty());
            return;
        }
    };
    for warning in soul.warnings() {
        assert!(!warning.to_string().contains('\u{1b}'), "a warning moves the cursor");
    }
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.split('\n').collect();
    for entry in soul.skills() {
        let line = lines.get((entry.line as usize).wrapping_sub(1)).copied().unwrap_or_default();
        let bullet = line.trim_start().strip_prefix(['-', '*', '+']).map(str::trim_start);
        let head = bullet.and_then(|bullet| bullet.strip_prefix(entry.name.as_str()));
        assert!(
            head.is_some_and(|rest| rest.trim_start().starts_with(':')),
            "`{}` is no bullet: {line:?}",
            entry.name
        );
        for host in &entry.grant.hosts {
            let again = HostGrant::parse(host.text(), host.rule.clone()).map(|again| again.to_string());
            assert_eq!(again.as_deref(), Ok(host.text()), "a host entry reads back otherwise");
        }
        for directory in &entry.grant.directories {
            let shown = directory.to_string();
            let again = DirectoryGrant::parse(directory.mode, &shown, directory.rule.clone());
            let parts = |grant: &DirectoryGrant| (grant.path.clone(), grant.guest.clone(), grant.hidden);
            assert_eq!(again.as_ref().map(parts), Ok(parts(directory)), "`{shown}` reads back otherwise");
        }
    }
    let folder = Path::new("/nonexistent/agent");
    assert!(soul.differences(&soul, folder).is_empty(), "it differs from itself");
    let narrowed = soul.narrowed_by(&soul, folder);
    let wider =
        soul.differences(&narrowed, folder).into_iter().find(|found| found.effect == Effect::Widening);
    assert!(wider.is_none(), "narrowed by itself it is wider: {wider:?}");
}
