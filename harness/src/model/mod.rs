//! The nouns that every other module shares: no I/O, no processes, no text beyond the fixed words.

#[cfg(feature = "protocol")]
mod capability;
#[cfg(feature = "stress")]
pub(crate) mod checked;
#[cfg(feature = "stress")]
mod fault;
mod file_lock;
#[cfg(feature = "stress")]
mod merge;
mod random;
#[cfg(feature = "stress")]
mod report;
#[cfg(feature = "stress")]
mod scenario;
#[cfg(feature = "stress")]
mod snapshot;
#[cfg(feature = "protocol")]
mod verb;
#[cfg(feature = "stress")]
mod verdict;

#[cfg(feature = "protocol")]
pub use capability::{Capabilities, Capability};
#[cfg(feature = "stress")]
pub use checked::{CheckedReport, Expectation, Rank, worst};
#[cfg(feature = "stress")]
pub use fault::FaultKind;
pub use file_lock::{FileLock, LockKind, LockMode};
#[cfg(feature = "stress")]
pub use merge::{MergeError, merge};
#[cfg(feature = "stress")]
pub use random::Random;
pub(crate) use random::after;
#[cfg(feature = "stress")]
pub use report::*;
#[cfg(feature = "stress")]
pub use scenario::{Role, Scenario};
#[cfg(feature = "stress")]
pub use snapshot::{
    FileKind, FileSnapshot, HeldLock, KeySnapshot, Phase, Snapshot, WorkerSnapshot,
};
#[cfg(feature = "protocol")]
pub use verb::Verb;
#[cfg(feature = "stress")]
pub use verdict::Verdict;
