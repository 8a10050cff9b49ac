//! The network against recording servers on loopback, a resolver that says what a test wants, and a dialer
//! that leads every address to the server while it writes down who would have been contacted. That list is
//! the oracle.

mod corpus;
mod limits;
mod outbound;
mod requests;
mod server;
mod world;
