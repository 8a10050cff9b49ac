//! Whether the next gateway of a state folder could listen where its settings say: asked before one is ended for it.
//!
//! The rule: the address is bound and never listened on, so nobody can connect to it and a gateway that starts at this very
//! moment is not in its way.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::TcpSocket;

use crate::settings::Settings;
use crate::state::StateFolder;
use crate::state::lock::Purpose;

/// An address on which no gateway can listen, and why, in a sentence.
pub(crate) struct Taken {
    /// The address.
    pub(crate) address: SocketAddr,
    /// Why.
    pub(crate) why: String,
}

/// What keeps the next gateway of this folder from listening, as far as that can be known.
pub(crate) fn taken(state: &StateFolder, settings: &Settings) -> Option<Taken> {
    let address = settings.listen;
    match state.holder().ok()?.map(|held| held.0) {
        None => {}
        // A gateway that runs has its own; another one it takes over with a restart.
        Some(Some(holder)) if holder.purpose == Purpose::Gateway => {
            let listens = holder.listen?;
            if listens == address.to_string() {
                return None;
            }
        }
        // What a command holds for a moment may be a gateway's start.
        Some(_) => return None,
    }
    let error = bind(address).err()?;
    let why = match error.kind() {
        ErrorKind::AddrInUse => format!("another program listens on {address}, so no gateway can start"),
        _ => format!("no gateway can listen on {address}: {error}"),
    };
    Some(Taken { address, why })
}

/// As the gateway's listener does it, but for the listening.
fn bind(address: SocketAddr) -> std::io::Result<()> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)
}
