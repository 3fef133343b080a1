//! Tests of locks in Rust: stress runs, exploration, conformance, random programs.
//!
//! | to show that | use |
//! |---|---|
//! | a function excludes between processes and threads | [`stress::Stress`] |
//! | no interleaving of its system calls breaks a lock | [`explore::Explore`] (feature `explore`) |
//! | a lock keeps each guarantee of the suite | [`lock_conformance!`](crate::lock_conformance) |
//! | a client of a server that keeps locks keeps its promises | `coordination_conformance!` (feature `coordination`, on Unix) |
//! | random programs of lock operations exclude | [`programs::programs`] (feature `proptest`) |
//! | processes that the test starts itself exclude | [`witness::Witness`] |
//!
//! [`fixtures`] (feature `rstest`) give a test a lock path, a held lock or a stress run.

#[doc(hidden)]
pub mod checker;
pub mod conformance;
#[cfg(all(feature = "coordination", unix))]
pub mod coordination;
#[cfg(feature = "explore")]
pub mod explore;
pub mod finding;
#[cfg(feature = "rstest")]
pub mod fixtures;
mod forking;
#[doc(hidden)]
pub mod history;
mod lock;
#[cfg(feature = "proptest")]
pub mod programs;
pub mod stress;
pub mod witness;
