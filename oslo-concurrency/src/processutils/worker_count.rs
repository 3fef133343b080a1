//! How many workers a service starts if nobody says.

/// How many workers can run at once: the processors that this process may use, by its affinity and
/// by the CPU quota of its cgroup (version 1 or 2, rounded down), and at least 1.
/// `oslo.concurrency` counts all processors of the machine.
///
/// ```
/// assert!(oslo_concurrency::processutils::get_worker_count() >= 1);
/// ```
pub fn get_worker_count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
