//! `probe-sockets`: imports `wasi:sockets`, which nothing grants.
//!
//! The rule: nothing is softened here. If it starts at all, it looks the name up.

use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;

mod bindings {
    //! The world of `wit/probe-sockets.wit`.
    wit_bindgen::generate!({
        path: ["../../wit", "wit"],
        world: "soulbound-redteam:probe-sockets/probe-sockets",
        generate_all,
        export_prefix: "cm32p2||",
    });
}

struct Probe;

impl bindings::Guest for Probe {
    fn lookup(name: String) -> Result<String, String> {
        let found = resolve_addresses(&instance_network(), &name).map_err(|error| format!("{error:?}"))?;
        found.subscribe().block();
        found
            .resolve_next_address()
            .map(|address| format!("{address:?}"))
            .map_err(|error| format!("{error:?}"))
    }
}

/// The exports' raw side, as wit-bindgen writes it.
#[expect(unsafe_code, reason = "the component model's calling convention")]
mod exports {
    crate::bindings::export!(Probe with_types_in crate::bindings);
    use super::Probe;
}
