//! gateway.toml: nothing is parsed and ignored, and what is denied is denied.

use soulbound::fuzz::ReadSettings;
use soulbound_runtime::grant::host::Target;

/// Reads the bytes as a gateway.toml.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let settings = match ReadSettings::of(text) {
        Ok(settings) => settings,
        Err(error) => return assert!(!error.is_empty(), "refused without a reason"),
    };
    let unknown = format!("{text}\nno_key_of_ours = 1\n");
    assert!(ReadSettings::of(&unknown).is_err(), "an unknown key is ignored");
    for entry in settings.denied_hosts() {
        // The plainest kind alone, so that this stays simpler than the code that it checks.
        let name = entry.strip_prefix("*.").unwrap_or(entry);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        if !name.contains('.') || !name.bytes().all(is_plain) {
            continue;
        }
        let below = (name != entry).then(|| format!("https://below.{name}"));
        for origin in below.into_iter().chain([format!("https://{name}")]) {
            let Ok(target) = Target::from_url(&origin) else { continue };
            assert!(!settings.permits(&target), "`deny_hosts` has `{entry}` and {origin} is let pass");
        }
    }
}
