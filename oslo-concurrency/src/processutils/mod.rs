//! Running commands, as `oslo_concurrency.processutils` does: with retries, limits, timeouts, and
//! no password in a log.
//!
//! ```
//! use std::time::Duration;
//! use oslo_concurrency::processutils::{Error, execute};
//!
//! let output = execute(["sort", "-r"]).process_input("a\nb\n").timeout(Duration::from_secs(10)).run()?;
//! assert_eq!(output.stdout, "b\na\n");
//!
//! match execute(["sh", "-c", "echo no such token=abc >&2; exit 4"]).attempts(2).delay_on_retry(false).run() {
//!     Err(Error::Failed(failed)) => {
//!         assert_eq!(failed.exit_code, Some(4));
//!         assert_eq!(failed.stderr.as_deref(), Some("no such token=***\n"));
//!     }
//!     other => panic!("{other:?}"),
//! }
//! # Ok::<(), Error>(())
//! ```
//!
//! What a child gets: the arguments as they are, an environment, a directory, three pipes, the
//! defaults of SIGPIPE and SIGCHLD, no blocked signal, and no other descriptor of this process, nor
//! a lock that it holds. A call returns when the child has ended *and* its outputs are closed;
//! children of it that keep them open are waited for as well, up to the timeout.
//!
//! A process that is forked elsewhere at the moment when a command is started, and executes
//! nothing, keeps the pipes of the command open for as long as it lives, and so delays the call:
//! its start, before which no timeout counts, or its end.
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
