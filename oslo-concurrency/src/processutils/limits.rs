//! Resource limits of a command.

use std::io;

use nix::sys::resource::{Resource, setrlimit};

/// Resource limits of a command; each sets both the soft and the hard limit. `None` keeps the limit
/// of this process. [`ProcessLimits::UNLIMITED`] lifts it, as far as the hard limit or privileges
/// allow.
///
/// ```
/// use oslo_concurrency::processutils::{ProcessLimits, execute};
///
/// let limits = ProcessLimits { number_files: Some(64), cpu_time: Some(10), ..Default::default() };
/// let output = execute(["sh", "-c", "ulimit -n"]).prlimit(limits).run()?;
/// assert_eq!(output.stdout, "64\n");
/// # Ok::<(), oslo_concurrency::processutils::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessLimits {
    /// Address space, in bytes.
    pub address_space: Option<u64>,
    /// Size of a core file, in bytes.
    pub core_file_size: Option<u64>,
    /// Processor time, in seconds.
    pub cpu_time: Option<u64>,
    /// Data segment, in bytes.
    pub data_size: Option<u64>,
    /// Size of a file that the command writes, in bytes.
    pub file_size: Option<u64>,
    /// Locked memory, in bytes.
    pub memory_locked: Option<u64>,
    /// One more than the highest file descriptor.
    pub number_files: Option<u64>,
    /// Processes and threads of the user; not enforced for root.
    pub number_processes: Option<u64>,
    /// Resident set, in bytes; Linux ignores it.
    pub resident_set_size: Option<u64>,
    /// Stack, in bytes.
    pub stack_size: Option<u64>,
}

impl ProcessLimits {
    /// No limit.
    pub const UNLIMITED: u64 = libc::RLIM_INFINITY;

    fn all(&self) -> [(&'static str, Resource, Option<u64>); 10] {
        [
            ("address_space", Resource::RLIMIT_AS, self.address_space),
            ("core_file_size", Resource::RLIMIT_CORE, self.core_file_size),
            ("cpu_time", Resource::RLIMIT_CPU, self.cpu_time),
            ("data_size", Resource::RLIMIT_DATA, self.data_size),
            ("file_size", Resource::RLIMIT_FSIZE, self.file_size),
            (
                "memory_locked",
                Resource::RLIMIT_MEMLOCK,
                self.memory_locked,
            ),
            ("number_files", Resource::RLIMIT_NOFILE, self.number_files),
            (
                "number_processes",
                Resource::RLIMIT_NPROC,
                self.number_processes,
            ),
            (
                "resident_set_size",
                Resource::RLIMIT_RSS,
                self.resident_set_size,
            ),
            ("stack_size", Resource::RLIMIT_STACK, self.stack_size),
        ]
    }

    /// Sets the limits in the calling process. Async-signal-safe: it calls only `setrlimit`. An
    /// error includes the number of the limit.
    pub(super) fn apply(&self) -> Result<(), (usize, io::Error)> {
        for (number, (_, resource, value)) in self.all().into_iter().enumerate() {
            if let Some(value) = value {
                setrlimit(resource, value, value).map_err(|errno| (number, errno.into()))?;
            }
        }
        Ok(())
    }

    /// The name and value of the limit with this number.
    pub(super) fn by_number(&self, number: usize) -> (&'static str, u64) {
        let (name, _, value) = self.all()[number];
        (name, value.unwrap_or(ProcessLimits::UNLIMITED))
    }
}
