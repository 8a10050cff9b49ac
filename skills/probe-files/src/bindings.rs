//! The world of `probe.wit`, as wit-bindgen writes it. Nothing is written by hand here.

#[cfg(not(feature = "http"))]
wit_bindgen::generate!({
    path: ["../../wit", "../probe-files/probe.wit"],
    world: "soulbound-redteam:probe/probe-files",
    generate_all,
    // Tools of plain names must not become linker symbols that take the place of libc's own.
    export_prefix: "cm32p2||",
});

#[cfg(feature = "http")]
wit_bindgen::generate!({
    path: ["../../wit", "../probe-files/probe.wit"],
    world: "soulbound-redteam:probe/probe-http",
    generate_all,
    export_prefix: "cm32p2||",
});
