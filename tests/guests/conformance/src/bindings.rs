//! The world of `wit/conformance.wit`, as wit-bindgen writes it. Nothing is written by hand here.

wit_bindgen::generate!({
    path: ["../../../wit", "wit"],
    world: "soulbound-tests:conformance/conformance",
    generate_all,
    // Tools named `read`, `exit` or `rename` must not become the symbols that std finds instead of libc's
    // own.
    export_prefix: "cm32p2||",
});
