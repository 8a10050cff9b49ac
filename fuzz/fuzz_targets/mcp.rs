//! libFuzzer's entry to [`soulbound_fuzz::mcp`].
#![cfg_attr(fuzzing, no_main)]

soulbound_fuzz::target!(soulbound_fuzz::mcp::run);
