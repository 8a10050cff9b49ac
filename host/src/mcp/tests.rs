//! The door as clients meet it, over a served agent with real components and no gateway around it.

mod calls;
mod lists;
mod shim;
mod skills;
mod stage;
mod streams;
