//! The default number of workers of a service.

/// The number of workers that can run at once: the processors that this process may use, according
/// to its affinity and to the CPU quota of its cgroup (version 1 or 2, rounded down), and at least
/// 1. `oslo.concurrency` counts all processors of the machine.
///
/// ```
/// assert!(oslo_concurrency::processutils::get_worker_count() >= 1);
/// ```
pub fn get_worker_count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
