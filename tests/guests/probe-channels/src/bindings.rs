//! The world of `wit/probe-channels.wit`, as wit-bindgen writes it. Nothing is written by hand here.

wit_bindgen::generate!({
    path: ["../../../wit", "wit"],
    world: "soulbound-tests:probe-channels/probe-channels",
    generate_all,
    // Tools named `list` or `send` must not become the symbols that std finds instead of libc's own.
    export_prefix: "cm32p2||",
});
