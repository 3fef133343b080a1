//! Search strategies, one a file.

mod choice;
mod delays;
mod depth_first;
mod faults;
mod mix;
mod pct;
mod random;
mod replay;
mod scheduler;
mod shard;
#[cfg(all(test, target_os = "linux"))]
mod simulation;
mod view;

pub use choice::Choice;
pub use mix::{Mix, Plan};
pub use replay::Replay;
pub use scheduler::{Scheduler, Strategy};
pub use shard::{NotAShard, Shard};
pub use view::View;
