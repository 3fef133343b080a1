/// The common prefix of one application's locks; see [`synchronized_with_prefix`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synchronizer {
    prefix: &'static str,
}

impl Synchronizer {
    /// The prefix.
    pub const fn prefix(&self) -> &'static str {
        self.prefix
    }
}

/// Gives the external locks of an application a common prefix, which separates them from the locks
/// of other applications in the same directory.
///
/// ```
/// use oslo_concurrency::lockutils;
///
/// static MYAPP: lockutils::Synchronizer = lockutils::synchronized_with_prefix("myapp");
///
/// #[lockutils::synchronized("db", external = true, with = MYAPP)]
/// fn migrate() -> Result<(), lockutils::Error> {
///     Ok(()) // holds the lock file `myapp-db`
/// }
/// # let directory = tempfile::tempdir().unwrap();
/// # lockutils::set_defaults(directory.path());
/// migrate()?;
/// # assert!(directory.path().join("myapp-db").exists());
/// # Ok::<(), lockutils::Error>(())
/// ```
pub const fn synchronized_with_prefix(prefix: &'static str) -> Synchronizer {
    Synchronizer { prefix }
}
