//! libFuzzer's entry to [`soulbound_fuzz::values`].
#![cfg_attr(fuzzing, no_main)]

soulbound_fuzz::target!(soulbound_fuzz::values::run);
