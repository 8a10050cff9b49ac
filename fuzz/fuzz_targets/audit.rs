//! libFuzzer's entry to [`soulbound_fuzz::audit`].
#![cfg_attr(fuzzing, no_main)]

soulbound_fuzz::target!(soulbound_fuzz::audit::run);
