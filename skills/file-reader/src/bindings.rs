//! The world of `wit/file-reader.wit`, as wit-bindgen writes it. Nothing is written by hand here.

wit_bindgen::generate!({
    path: ["../../wit", "wit"],
    world: "soulbound-skills:file-reader/file-reader",
    generate_all,
    // Without a prefix the tools `read` and `stat` would be linker symbols of these names, and take the place
    // of libc's own: std's file calls would end up here. This is the component model's standard name for the
    // same exports.
    export_prefix: "cm32p2||",
});
