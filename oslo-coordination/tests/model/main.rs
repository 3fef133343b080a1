//! The life of acquires and holds under a scheduler that chooses the interleaving: [shuttle].
//!
//! The modules are those of the crate, compiled once more with shuttle's mutexes and atomics
//! (`sync.rs`), with its tasks, and a clock that advances when a sleep is scheduled (`rt.rs`). The
//! engine is a server double (`server.rs`) that delays each request and each answer, and loses
//! some. Shuttle reports a deadlock when every task waits.

#[allow(dead_code, unused_imports, reason = "the crate uses all of it")]
#[path = "../../src/clock.rs"]
mod clock;
#[allow(dead_code, unused_imports, reason = "the crate uses all of it")]
#[path = "../../src/lifecycle/mod.rs"]
mod lifecycle;
#[allow(dead_code, unused_imports, reason = "the crate uses all of it")]
#[path = "../../src/lock_name.rs"]
mod lock_name;
mod rt;
mod scenarios;
mod server;
mod sync;

#[allow(dead_code, unused_imports, reason = "the crate uses all of it")]
#[path = "."]
mod engine {
    #[path = "../../src/engine/contract.rs"]
    mod contract;

    pub(crate) use contract::*;
}
