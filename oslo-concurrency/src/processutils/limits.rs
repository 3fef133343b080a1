//! Resource limits of a command.

use super::sys::{self, Limits};

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
    /// Resident set, in bytes; Linux does nothing with it, and macOS takes it for the address
    /// space.
    pub resident_set_size: Option<u64>,
    /// Stack, in bytes.
    pub stack_size: Option<u64>,
}

impl ProcessLimits {
    /// No limit.
    pub const UNLIMITED: u64 = sys::UNLIMITED;

    /// The values by their numbers.
    pub(super) fn values(&self) -> Limits {
        [
            self.address_space,
            self.core_file_size,
            self.cpu_time,
            self.data_size,
            self.file_size,
            self.memory_locked,
            self.number_files,
            self.number_processes,
            self.resident_set_size,
            self.stack_size,
        ]
    }
}

const NAMES: [&str; 10] = [
    "address_space",
    "core_file_size",
    "cpu_time",
    "data_size",
    "file_size",
    "memory_locked",
    "number_files",
    "number_processes",
    "resident_set_size",
    "stack_size",
];

/// The name and value of the limit with this number.
pub(super) fn by_number(limits: &Limits, number: usize) -> (&'static str, u64) {
    let value = limits[number].unwrap_or(ProcessLimits::UNLIMITED);
    (NAMES[number], value)
}
