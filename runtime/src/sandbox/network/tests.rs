//! The network against recording servers on loopback, a resolver that says what a test wants, and a dialer
//! that leads every address to the server while it writes down who would have been contacted. That list is
//! the oracle.

mod corpus;
mod judged;
mod limits;
mod outbound;
mod requests;
mod secrets;
mod server;
mod world;
