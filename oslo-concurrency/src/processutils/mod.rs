//! Runs commands, as `oslo_concurrency.processutils` does: with retries, limits and timeouts, and
//! without passwords in logs.
//!
//! ```
//! use std::time::Duration;
//! use oslo_concurrency::processutils::{Error, execute};
//!
//! let sort = execute(["sort", "-r"]).process_input("a\nb\n").timeout(Duration::from_secs(10));
//! let output = sort.run()?;
//! assert_eq!(output.stdout, "b\na\n");
//!
//! let failing = execute(["sh", "-c", "echo no such token=abc >&2; exit 4"]);
//! match failing.attempts(2).delay_on_retry(false).run() {
//!     Err(Error::Failed(failed)) => {
//!         assert_eq!(failed.exit_code, Some(4));
//!         assert_eq!(failed.stderr.as_deref(), Some("no such token=***\n"));
//!     }
//!     other => panic!("{other:?}"),
//! }
//! # Ok::<(), Error>(())
//! ```
//!
//! A child gets its arguments unchanged, an environment, a directory, three pipes, the default
//! actions of SIGPIPE and SIGCHLD, and no blocked signal. It inherits no other descriptor of this
//! process and none of its locks. A call returns when the child has ended *and* its outputs are
//! closed: it also waits, up to the timeout, for descendants that keep the outputs open.
//!
//! A process that another thread forks while a command is being started, and that does not exec,
//! keeps the pipes of the command open. It delays the call until it ends: either at the start,
//! where the timeout does not count yet, or at the end.
//!
//! # Platforms
//!
//! Linux 5.3 or later, macOS, FreeBSD and Windows. In a program that ignores SIGCHLD (`SIG_IGN` or
//! `SA_NOCLDWAIT`), or that
//! waits for every child itself, exit codes are known from Linux 6.15 on; before that each command
//! that ends is [`Error::ExitCodeLost`], and so it is on macOS and FreeBSD.
//!
//! On Windows [`Execute::preexec`], [`Execute::prlimit`] and [`Execute::run_as_root`] are
//! [`Error::Unavailable`], before anything runs; a timeout ends a job object instead of a process
//! group, and [`Execute::shell`] is `cmd /C`.

mod attempts;
mod error;
mod execute;
mod exit_codes;
mod limits;
mod log;
pub(crate) mod mask;
mod output;
mod process;
#[cfg(any(unix, feature = "ssh"))]
mod read_available;
mod retry;
mod root;
#[cfg(feature = "ssh")]
mod ssh;
mod sys;
mod worker_count;

pub use self::error::{Error, ProcessExecutionError};
pub use self::execute::{Execute, execute};
pub use self::exit_codes::CheckExitCode;
pub use self::limits::ProcessLimits;
pub use self::log::LogErrors;
pub use self::mask::{mask_password, mask_password_bytes, shell_join};
pub use self::output::Output;
pub use self::process::Process;
pub use self::retry::RetryDelay;
#[cfg(feature = "ssh")]
pub use self::ssh::{SshExecute, ssh_execute};
pub use self::worker_count::get_worker_count;
