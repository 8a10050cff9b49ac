//! Which cases of a corpus its runner leaves to others, as `ledger.json` says; every runner holds what it skipped against it, so
//! that no case is left out without a word.
//!
//! Included by path where a runner is: the library's own tests, its integration tests, the crate `tests/`.

use std::collections::BTreeSet;

/// The entries: for each corpus and skipped id, `by` (tests that cover it, as `path::name`) and `short` (what of it is not tried).
/// `tests/tests/corpora.rs` holds that every id and every test is there.
pub(crate) const LEDGER: &str = include_str!("ledger.json");

/// The runner of this corpus skipped exactly these ids.
pub(crate) fn skipped_only(corpus: &str, skipped: impl IntoIterator<Item = String>) {
    let ledger: serde_json::Value = serde_json::from_str(LEDGER).unwrap();
    let listed: BTreeSet<String> = ledger[corpus].as_object().unwrap().keys().cloned().collect();
    assert_eq!(skipped.into_iter().collect::<BTreeSet<_>>(), listed, "skipped, against ledger.json");
}
