//! The world of `wit/file-writer.wit`, as wit-bindgen writes it. Nothing is written by hand here.

wit_bindgen::generate!({
    path: ["../../wit", "wit"],
    world: "soulbound-skills:file-writer/file-writer",
    generate_all,
    // Without a prefix the tools would be linker symbols of these plain names, and could take the place of
    // libc's own. This is the component model's standard name for the same exports.
    export_prefix: "cm32p2||",
});
