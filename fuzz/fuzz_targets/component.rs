//! libFuzzer's entry to [`soulbound_fuzz::component`].
#![cfg_attr(fuzzing, no_main)]

soulbound_fuzz::target!(soulbound_fuzz::component::run);
