//! The network. (Stub.)
