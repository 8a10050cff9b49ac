//! The gateway: the agents that run, and the path of a call from whoever asks to the sandbox and back.

pub(crate) mod offer;
pub(crate) mod request;
