//! The imports of `soulbound:skill`, as wit-bindgen writes them. Nothing is written by hand here.

wit_bindgen::generate!({
    path: "../../wit",
    world: "soulbound:skill/compute",
    generate_all,
});
