//! Tests of the whole layer, through the WASI traits and without a guest.

mod bind;
mod corpus;
mod create;
mod harness;
mod linking;
mod links;
mod meanwhile;
mod names;
mod quota;
mod races;
mod record;
mod rename;
mod same;
mod special;
mod staged;
