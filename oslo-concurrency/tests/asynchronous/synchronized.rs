//! `#[synchronized]` on an `async fn`: the function keeps its behaviour, and the lock is held
//! meanwhile.

use std::cell::Cell;
use std::fmt::{Debug, Display};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use oslo_concurrency::lockutils::{self, Error, Semaphores, Synchronizer, lock};
use tokio::task::yield_now;

use super::is_free;

fn is_held(name: &str) -> bool {
    !is_free(lock(name))
}

fn lock_path() -> &'static Path {
    static DIRECTORY: LazyLock<tempfile::TempDir> =
        LazyLock::new(|| tempfile::tempdir().expect("a directory for lock files"));
    DIRECTORY.path()
}

#[lockutils::synchronized("async-free")]
async fn free_function() -> bool {
    yield_now().await;
    is_held("async-free")
}

struct Counter {
    count: u32,
}

impl Counter {
    #[lockutils::synchronized("async-add")]
    async fn add(&mut self, n: u32) -> &mut Self {
        yield_now().await;
        assert!(is_held("async-add"));
        self.count += n;
        self
    }

    #[lockutils::synchronized(&format!("async-{}", self.count))]
    async fn named_after_itself(&self) -> bool {
        yield_now().await;
        is_held(&format!("async-{}", self.count))
    }

    #[lockutils::synchronized("async-consume")]
    async fn consume(self) -> u32 {
        yield_now().await;
        self.count
    }
}

trait Device {
    async fn open(&self) -> Result<u8, Error>;
}

impl Device for Counter {
    #[lockutils::synchronized("async-device", external, lock_path = lock_path())]
    async fn open(&self) -> Result<u8, Error> {
        assert!(is_held("async-device"));
        Ok(1)
    }
}

#[lockutils::synchronized("async-generic")]
async fn generic<T, const N: usize>(value: T, _tag: impl Debug) -> [T; N]
where
    T: Clone + Display,
{
    yield_now().await;
    std::array::from_fn(|_| value.clone())
}

#[lockutils::synchronized("async-lifetimes")]
async fn longest<'a, 'b: 'a>(one: &'a str, other: &'b str) -> &'a str {
    yield_now().await;
    if one.len() > other.len() { one } else { other }
}

#[lockutils::synchronized("async-impl")]
async fn words<'a>(text: &'a str, (from, to): (usize, usize)) -> impl Iterator<Item = &'a str> {
    yield_now().await;
    text[from..to].split(' ')
}

#[lockutils::synchronized("async-dyn", external, lock_path = lock_path())]
async fn boxed(mut text: String) -> Result<Box<dyn Iterator<Item = char>>, Error> {
    text.push('!');
    if text.len() > 3 {
        return Ok(Box::new(std::iter::once('?')));
    }
    Ok(Box::new(text.chars().collect::<Vec<_>>().into_iter()))
}

#[tokio::test]
async fn methods_generics_and_lifetimes() {
    assert!(free_function().await);
    assert!(!is_held("async-free"));
    let mut counter = Counter { count: 1 };
    counter.add(2).await.add(3).await;
    assert!(counter.named_after_itself().await);
    assert_eq!(counter.open().await.unwrap(), 1);
    assert_eq!(counter.consume().await, 6);
    assert_eq!(generic::<_, 2>("x", 1).await, ["x", "x"]);
    assert_eq!(longest("long", "er").await, "long");
    assert_eq!(words("a b c", (2, 5)).await.collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(boxed("ab".into()).await.unwrap().count(), 3);
    assert_eq!(boxed("abc".into()).await.unwrap().count(), 1);
}

#[derive(Debug)]
enum AppError {
    Lock(Error),
    Number,
}

impl From<Error> for AppError {
    fn from(error: Error) -> Self {
        AppError::Lock(error)
    }
}

impl From<std::num::ParseIntError> for AppError {
    fn from(_: std::num::ParseIntError) -> Self {
        AppError::Number
    }
}

/// Returns early, by `?` and by `return`.
#[lockutils::synchronized("async-parse", external, lock_path = lock_path())]
async fn parse(text: &str) -> Result<u32, AppError> {
    if text.is_empty() {
        return Ok(0);
    }
    yield_now().await;
    let number = text.parse::<u32>()?;
    Ok(number)
}

#[lockutils::synchronized("async-try", blocking = false)]
async fn never_waits() -> Result<(), AppError> {
    Ok(())
}

#[lockutils::synchronized(
    "async-timed",
    timeout = Duration::from_millis(1),
    warn_after = Duration::MAX
)]
async fn waits_a_little() -> Result<(), Error> {
    Ok(())
}

#[lockutils::synchronized("async-try", blocking = false, or_panic)]
async fn panics() {}

#[tokio::test]
async fn errors_reach_the_caller_and_early_returns_release() {
    assert_eq!(parse("").await.unwrap(), 0);
    assert_eq!(parse("7").await.unwrap(), 7);
    assert!(matches!(parse("x").await, Err(AppError::Number)));
    assert!(!is_held("async-parse"));

    let held = lock("async-try").acquire_async().await.unwrap();
    let busy = never_waits().await;
    assert!(matches!(
        busy,
        Err(AppError::Lock(Error::NotAcquired { .. }))
    ));
    let panic = tokio::spawn(panics()).await.unwrap_err().into_panic();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("panics: lock \"async-try\" is held"),
        "{message}"
    );
    drop(held);
    panics().await;

    let held = lock("async-timed").acquire_async().await.unwrap();
    assert!(matches!(waits_a_little().await, Err(Error::Timeout { .. })));
    drop(held);
    waits_a_little().await.unwrap();
}

static MYAPP: Synchronizer = lockutils::synchronized_with_prefix("async-app");
static OURS: Semaphores = Semaphores::new();

#[lockutils::synchronized("db", external, fair, with = MYAPP, lock_path = lock_path())]
async fn with_a_synchronizer() -> Result<bool, Error> {
    Ok(lock_path().join("async-app-db").exists())
}

#[lockutils::synchronized("db", external, prefix = "async-other", lock_path = lock_path())]
async fn with_a_prefix() -> Result<bool, Error> {
    Ok(lock_path().join("async-other-db").exists())
}

#[lockutils::synchronized("async-ours", semaphores = &OURS)]
async fn in_a_container() -> bool {
    !is_held("async-ours") && !is_free(lock("async-ours").semaphores(&OURS))
}

#[tokio::test]
async fn options_reach_the_lock() {
    assert!(with_a_synchronizer().await.unwrap());
    assert!(with_a_prefix().await.unwrap());
    assert!(in_a_container().await);
    assert!(OURS.is_empty());
}

#[lockutils::synchronized("async-recursive", external, lock_path = lock_path())]
async fn recursive(depth: u32) -> Result<(), Error> {
    if depth > 0 {
        Box::pin(recursive(depth - 1)).await?;
    }
    Ok(())
}

#[lockutils::synchronized("async-recursive-internal")]
async fn recursive_and_cannot_fail(depth: u32) {
    if depth > 0 {
        Box::pin(recursive_and_cannot_fail(depth - 1)).await;
    }
}

#[tokio::test]
async fn a_function_that_calls_itself_is_told_so() {
    let error = recursive(1).await;
    assert!(
        matches!(error, Err(Error::WouldDeadlock { .. })),
        "{error:?}"
    );
    recursive(0).await.unwrap();
    let panic = tokio::spawn(recursive_and_cannot_fail(1))
        .await
        .unwrap_err();
    let panic = panic.into_panic();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("already held by this thread or section"),
        "{message}"
    );
}

#[tokio::test]
async fn calls_of_one_function_in_two_tasks_take_turns() {
    let calls = (0..20).map(|_| tokio::spawn(free_function()));
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap());
    }
}

/// Documented.
#[lockutils::synchronized("async-attributes")]
#[must_use]
#[deprecated = "only to see that attributes stay"]
async fn with_attributes(#[allow(unused_variables)] unused: u8) -> u8 {
    1
}

#[lockutils::synchronized("async-unsafe")]
async unsafe fn read(pointer: *const u8) -> u8 {
    // SAFETY: the caller's pointer is valid.
    unsafe { *pointer }
}

#[tokio::test]
async fn attributes_and_qualifiers_stay() {
    #[expect(deprecated, reason = "the attribute is still there")]
    let one = with_attributes(0).await;
    assert_eq!(one, 1);
    // SAFETY: a pointer to a live value.
    assert_eq!(unsafe { read(&7) }.await, 7);
}

struct ChecksOnDrop(&'static str, bool);

impl Drop for ChecksOnDrop {
    fn drop(&mut self) {
        assert_eq!(is_held(self.0), self.1);
    }
}

#[lockutils::synchronized("async-locals")]
async fn drops_locals_under_the_lock(used: ChecksOnDrop, _unused: ChecksOnDrop, wait: bool) {
    let _local = ChecksOnDrop("async-locals", true);
    let _still = &used;
    yield_now().await;
    if wait {
        std::future::pending().await
    }
}

#[tokio::test]
async fn locals_are_dropped_under_the_lock_and_parameters_after_it() {
    let after = || ChecksOnDrop("async-locals", false);
    drops_locals_under_the_lock(after(), after(), false).await;
    // The same when it is cancelled.
    let call = tokio::spawn(drops_locals_under_the_lock(after(), after(), true));
    while !is_held("async-locals") {
        yield_now().await;
    }
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert!(!is_held("async-locals"));
}

/// A parameter that is `Send` but not `Sync` leaves the future `Send`.
#[lockutils::synchronized("async-send")]
async fn keeps_a_cell(cell: Cell<u32>) -> u32 {
    cell.set(1);
    yield_now().await;
    cell.get() + 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn futures_are_send() {
    assert_eq!(tokio::spawn(keeps_a_cell(Cell::new(0))).await.unwrap(), 2);
}
