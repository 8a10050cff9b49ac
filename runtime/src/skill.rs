//! A component on disk.
