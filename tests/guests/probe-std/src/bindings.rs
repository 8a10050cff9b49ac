//! The world of `wit/probe-std.wit`, as wit-bindgen writes it. Nothing is written by hand here.

wit_bindgen::generate!({
    path: ["../../../wit", "wit"],
    world: "soulbound-tests:probe-std/probe-std",
    generate_all,
    export_prefix: "cm32p2||",
});
