//! The oracle is seen to fail.
