//! Doctor's look at the address on which a gateway would listen, where none runs: whether it could.
//!
//! The rule: it is bound and never listened on, so nobody can connect to it and a gateway that starts at this very moment
//! is not in its way.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::TcpSocket;

use super::{Finding, Severity};
use crate::settings::Settings;
use crate::state::StateFolder;

/// What keeps a gateway of this state folder from listening.
pub(super) fn finding(state: Option<&StateFolder>) -> Option<Finding> {
    let state = state?;
    // A gateway that runs has it; what a command holds for a moment may be a gateway's start.
    if state.holder().ok()?.is_some() {
        return None;
    }
    let address = Settings::read(state).ok()?.listen;
    let error = bind(address).err()?;
    let message = match error.kind() {
        ErrorKind::AddrInUse => format!("another program listens on {address}, so no gateway can start"),
        _ => format!("no gateway can listen on {address}: {error}"),
    };
    let fix = format!(
        "end whatever has the port (ss -ltnp 'sport = :{}' shows it; a gateway of another state folder, maybe), or set another with `[gateway] listen` in gateway.toml",
        address.port()
    );
    Some(Finding::new("gateway.port", Severity::Error, message, fix))
}

/// As the gateway's listener does it, but for the listening.
fn bind(address: SocketAddr) -> std::io::Result<()> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)
}
