//! Special-purpose addresses. (Stub.)
