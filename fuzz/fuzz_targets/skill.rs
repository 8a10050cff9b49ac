//! libFuzzer's entry to [`soulbound_fuzz::skill`].
#![cfg_attr(fuzzing, no_main)]

soulbound_fuzz::target!(soulbound_fuzz::skill::run);
