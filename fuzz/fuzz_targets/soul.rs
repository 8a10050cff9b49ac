//! libFuzzer's entry to [`soulbound_fuzz::soul`].
#![cfg_attr(fuzzing, no_main)]

soulbound_fuzz::target!(soulbound_fuzz::soul::run);
