//! What the registry is built on. `tests/registry_interleavings.rs` compiles the registry with a scheduler's versions of these instead.

pub(super) use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
