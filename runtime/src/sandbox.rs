//! One call: a fresh instance of a component, with exactly what its grant opens and not a handle more.

pub(crate) mod admission;
pub(crate) mod approval;
pub mod bound;
pub mod budget;
pub mod call;
pub mod channels;
pub(crate) mod clock;
pub(crate) mod ending;
pub(crate) mod engine;
pub mod files;
pub(crate) mod guest;
pub mod interfaces;
pub(crate) mod limiter;
pub mod limits;
pub(crate) mod linker;
pub mod log;
pub(crate) mod manners;
pub mod network;
pub mod outcome;
pub mod overseer;
pub mod runtime;
pub(crate) mod seat;
pub mod secret;
pub(crate) mod state;
pub(crate) mod threads;
pub(crate) mod ticker;
pub mod value;
pub(crate) mod witness;
pub mod worker;

pub use bound::{BindError, BoundSkill, GrantProblem, tool_name};
pub use budget::{BudgetState, Budgets};
pub use call::Admitted;
pub use interfaces::Progress;
pub use limits::{CallLimits, default_limits};
pub use log::LogLine;
pub use outcome::{CallError, Ending, ErrorKind, Outcome};
pub use overseer::{
    Access, AccessKind, BoxFuture, Carrier, Content, Decision, Effect, FileChange, Outflow, Overseer, Permit,
    Unattended,
};
pub use runtime::{AgentIdentity, Load, Runtime, RuntimeConfig, RuntimeError};
pub use secret::{Secret, SecretError, SecretRefusal, SecretSource};
pub use threads::{leave_a_core, lower_priority};
