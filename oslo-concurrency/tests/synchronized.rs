//! `#[synchronized]` on every kind of function: the function keeps its behaviour, and the lock is
//! held meanwhile.

use std::fmt::{Debug, Display};
use std::path::Path;
use std::time::Duration;

use oslo_concurrency::lockutils::{self, Error, Semaphores, Synchronizer};

/// Returns `true` if the lock between threads named `name` is held.
fn is_held(name: &str) -> bool {
    lockutils::lock(name).blocking(false).acquire().is_err()
}

fn lock_path() -> &'static Path {
    use std::sync::LazyLock;
    static DIRECTORY: LazyLock<tempfile::TempDir> =
        LazyLock::new(|| tempfile::tempdir().expect("a directory for lock files"));
    DIRECTORY.path()
}

#[lockutils::synchronized("free")]
fn free_function() -> bool {
    is_held("free")
}

#[test]
fn a_free_function_holds_its_lock_and_releases_it() {
    assert!(free_function());
    assert!(!is_held("free"));
}

struct Counter {
    count: u32,
}

impl Counter {
    const START: u32 = 7;

    #[lockutils::synchronized("counter-new")]
    fn new() -> Self {
        assert!(is_held("counter-new"));
        Self { count: Self::START }
    }

    #[lockutils::synchronized("counter")]
    fn add(&mut self, n: u32) -> &mut Self {
        assert!(is_held("counter"));
        self.count += n;
        self
    }

    #[lockutils::synchronized(&format!("counter-{}", self.count))]
    fn named_after_itself(&self) -> bool {
        is_held(&format!("counter-{}", self.count))
    }

    #[lockutils::synchronized("consume")]
    fn consume(self) -> u32 {
        self.count
    }

    #[lockutils::synchronized("shared")]
    fn shared(self: std::rc::Rc<Self>, mut extra: u32) -> u32 {
        extra += self.count;
        extra
    }
}

#[test]
fn methods_and_associated_functions() {
    let mut counter = Counter::new();
    assert_eq!(counter.add(1).add(2).count, 10);
    assert!(counter.named_after_itself());
    assert_eq!(std::rc::Rc::new(Counter { count: 4 }).shared(1), 5);
    assert_eq!(counter.consume(), 10);
}

trait Device {
    fn open(&self) -> Result<u8, Error>;
}

impl Device for Counter {
    #[lockutils::synchronized("device", external, lock_path = lock_path())]
    fn open(&self) -> Result<u8, Error> {
        assert!(is_held("device"));
        Ok(1)
    }
}

#[test]
fn a_method_of_a_trait() {
    assert_eq!(Counter::new().open().unwrap(), 1);
}

#[lockutils::synchronized("generic")]
fn generic<T, const N: usize>(value: T, _tag: impl Debug) -> [T; N]
where
    T: Clone + Display,
{
    assert!(is_held("generic"));
    std::array::from_fn(|_| value.clone())
}

#[lockutils::synchronized("lifetimes")]
fn longest<'a, 'b: 'a>(one: &'a str, other: &'b str) -> &'a str {
    if one.len() > other.len() { one } else { other }
}

#[lockutils::synchronized("impl-trait")]
fn words<'a>(text: &'a str, (from, to): (usize, usize)) -> impl Iterator<Item = &'a str> + use<'a> {
    assert!(is_held("impl-trait"));
    text[from..to].split(' ')
}

#[lockutils::synchronized("dyn-trait", external, lock_path = lock_path())]
fn boxed_words(text: &str) -> Result<Box<dyn Iterator<Item = char> + '_>, Error> {
    Ok(Box::new(text.chars()))
}

#[test]
fn generics_lifetimes_patterns_and_impl_trait() {
    assert_eq!(generic::<_, 3>("x", 1), ["x", "x", "x"]);
    assert_eq!(longest("long", "er"), "long");
    assert_eq!(words("a b c", (2, 5)).collect::<Vec<_>>(), ["b", "c"]);
    assert!(!is_held("impl-trait"));
    assert_eq!(boxed_words("ab").unwrap().count(), 2);
}

#[derive(Debug)]
enum AppError {
    Lock(Error),
    Number(std::num::ParseIntError),
}

impl From<Error> for AppError {
    fn from(error: Error) -> Self {
        AppError::Lock(error)
    }
}

impl From<std::num::ParseIntError> for AppError {
    fn from(error: std::num::ParseIntError) -> Self {
        AppError::Number(error)
    }
}

#[lockutils::synchronized("parse", external, lock_path = lock_path())]
fn parse(text: &str) -> Result<u32, AppError> {
    if text.is_empty() {
        return Ok(0);
    }
    let number: u32 = text.parse()?;
    Ok(number)
}

#[test]
fn early_return_and_question_mark_release_the_lock() {
    assert_eq!(parse("").unwrap(), 0);
    assert!(
        matches!(parse("x"), Err(AppError::Number(error)) if error.to_string().contains("digit"))
    );
    assert_eq!(parse("12").unwrap(), 12);
    assert!(!is_held("parse"));
}

#[lockutils::synchronized("try", blocking = false)]
fn never_waits() -> Result<(), AppError> {
    Ok(())
}

#[lockutils::synchronized("timed", timeout = Duration::from_millis(1))]
fn waits_a_little() -> Result<(), Error> {
    Ok(())
}

#[lockutils::synchronized("panics", blocking = false, or_panic)]
fn never_waits_and_panics() {}

fn while_held<T: Send>(name: &str, call: impl FnOnce() -> T + Send) -> T {
    let _guard = lockutils::lock(name).acquire().unwrap();
    std::thread::scope(|scope| scope.spawn(call).join().unwrap())
}

#[test]
fn the_error_of_the_lock_reaches_the_caller() {
    let busy = while_held("try", never_waits).unwrap_err();
    assert!(matches!(busy, AppError::Lock(Error::NotAcquired { .. })));
    let late = while_held("timed", waits_a_little).unwrap_err();
    assert!(matches!(late, Error::Timeout { .. }));
    let panic = while_held("panics", || {
        std::panic::catch_unwind(never_waits_and_panics)
    })
    .unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("never_waits_and_panics") && message.contains("is held; try again later"),
        "{message}"
    );
    assert!(never_waits().is_ok() && waits_a_little().is_ok());
}

#[lockutils::synchronized("unsafe")]
unsafe fn read(pointer: *const u8) -> u8 {
    // SAFETY: the caller's pointer is valid.
    unsafe { *pointer }
}

#[lockutils::synchronized("extern")]
extern "C" fn for_c(n: i32) -> i32 {
    n + 1
}

#[test]
fn unsafe_and_extern_functions() {
    // SAFETY: a pointer to a live value.
    assert_eq!(unsafe { read(&7) }, 7);
    let function: extern "C" fn(i32) -> i32 = for_c;
    assert_eq!(function(1), 2);
}

/// Documented.
#[lockutils::synchronized("attributes")]
#[must_use]
#[inline(never)]
#[deprecated = "only to see that attributes stay"]
fn with_attributes(#[allow(unused_variables)] unused: u8) -> u8 {
    1
}

#[test]
#[expect(deprecated, reason = "the attribute is still there")]
fn attributes_stay() {
    assert_eq!(with_attributes(0), 1);
}

static MYAPP: Synchronizer = lockutils::synchronized_with_prefix("myapp");
static OURS: Semaphores = Semaphores::new();

#[lockutils::synchronized("db", external = true, with = MYAPP, lock_path = lock_path())]
fn with_a_synchronizer() -> Result<bool, Error> {
    Ok(lock_path().join("myapp-db").exists())
}

#[lockutils::synchronized("db", external, prefix = "other", fair, lock_path = lock_path())]
fn with_a_prefix() -> Result<bool, Error> {
    Ok(lock_path().join("other-db").exists())
}

#[lockutils::synchronized("ours", semaphores = &OURS)]
fn in_a_container() -> bool {
    !is_held("ours")
        && lockutils::lock("ours")
            .semaphores(&OURS)
            .blocking(false)
            .acquire()
            .is_err()
}

#[test]
fn options_reach_the_lock() {
    assert!(with_a_synchronizer().unwrap());
    assert!(with_a_prefix().unwrap());
    assert!(in_a_container());
    assert!(OURS.is_empty());
}

mod other_names {
    use oslo_concurrency as renamed;

    #[renamed::lockutils::synchronized("renamed", crate = renamed)]
    pub fn with_another_path_to_the_crate() -> bool {
        super::is_held("renamed")
    }
}

#[test]
fn the_path_of_the_crate_can_be_given() {
    assert!(other_names::with_another_path_to_the_crate());
}

#[lockutils::synchronized("recursive")]
fn recursive(depth: u32) {
    if depth > 0 {
        recursive(depth - 1);
    }
}

#[test]
fn a_function_that_calls_itself_panics_instead_of_hanging() {
    let panic = std::panic::catch_unwind(|| recursive(1)).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("recursive") && message.contains("already held by this thread"),
        "{message}"
    );
    recursive(0);
}

#[lockutils::synchronized("panicking")]
fn panicking() {
    panic!("in the section");
}

#[test]
fn a_panic_releases_the_lock_and_does_not_poison_it() {
    std::panic::catch_unwind(panicking).unwrap_err();
    assert!(!is_held("panicking"));
}

struct ChecksOnDrop(&'static str, bool);

impl Drop for ChecksOnDrop {
    fn drop(&mut self) {
        assert_eq!(is_held(self.0), self.1);
    }
}

#[lockutils::synchronized("locals")]
fn drops_locals_under_the_lock(_parameter: ChecksOnDrop) {
    let _local = ChecksOnDrop("locals", true);
}

#[test]
fn locals_are_dropped_under_the_lock_and_parameters_after_it() {
    drops_locals_under_the_lock(ChecksOnDrop("locals", false));
}

#[lockutils::synchronized("exclusive")]
fn increment(total: &std::cell::UnsafeCell<u64>) {
    // SAFETY: the lock excludes every other thread that executes this.
    unsafe { *total.get() += 1 }
}

#[test]
fn threads_exclude_each_other() {
    struct Shared(std::cell::UnsafeCell<u64>);
    // SAFETY: the cell is accessed only under the lock.
    unsafe impl Sync for Shared {}
    let total = Shared(std::cell::UnsafeCell::new(0));
    let total = &total;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(move || {
                for _ in 0..20_000 {
                    increment(&total.0);
                }
            });
        }
    });
    // SAFETY: the threads have ended.
    assert_eq!(unsafe { *total.0.get() }, 80_000);
}
