//! The suite's names for tools, and ours. The suite calls `test_simple_text`; a tool of a skill is `SKILL__FUNCTION`, and WIT
//! spells a function with `-`.

/// The fixture's skill.
const SKILL: &str = "conformance__";
/// The suite's names that WIT cannot spell, whose words must begin with a letter.
const SPECIAL: &[(&str, &str)] = &[("json_schema_2020_12_tool", "json-schema")];

/// The gateway's name for what the suite calls so.
pub(super) fn ours(theirs: &str) -> String {
    let special =
        SPECIAL.iter().find(|(name, _)| *name == theirs).map(|(_, function)| (*function).to_owned());
    format!("{SKILL}{}", special.unwrap_or_else(|| theirs.replace('_', "-")))
}

/// The suite's name for the gateway's.
pub(super) fn theirs(ours: &str) -> String {
    let function = ours.strip_prefix(SKILL).unwrap_or(ours);
    let special =
        SPECIAL.iter().find(|(_, special)| *special == function).map(|(name, _)| (*name).to_owned());
    special.unwrap_or_else(|| function.replace('-', "_"))
}
