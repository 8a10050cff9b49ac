//! The filesystem. (Stub.)
