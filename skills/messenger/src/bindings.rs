//! The world of `wit/messenger.wit`, as wit-bindgen writes it. Nothing is written by hand here.

wit_bindgen::generate!({
    path: ["../../wit", "wit"],
    world: "soulbound-skills:messenger/messenger",
    generate_all,
    // Without a prefix the tool `send` would be a linker symbol of that plain name, and could take the place of
    // libc's own. This is the component model's standard name for the same exports.
    export_prefix: "cm32p2||",
});
