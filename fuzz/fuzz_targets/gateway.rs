//! libFuzzer's entry to [`soulbound_fuzz::gateway`].
#![cfg_attr(fuzzing, no_main)]

soulbound_fuzz::target!(soulbound_fuzz::gateway::run);
