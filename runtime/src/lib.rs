//! SOUL.md → grants → one sandboxed call of a WebAssembly component.

pub mod compile;
pub mod denial;
pub mod grant;
pub mod sandbox;
pub mod skill;
pub mod soul;
mod spelling;
pub mod visible;

pub use denial::{Denial, DenialId, RuleRef};
pub use soul::Soul;
