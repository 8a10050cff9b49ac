//! libFuzzer's entry to [`soulbound_fuzz::hosts`].
#![cfg_attr(fuzzing, no_main)]

soulbound_fuzz::target!(soulbound_fuzz::hosts::run);
