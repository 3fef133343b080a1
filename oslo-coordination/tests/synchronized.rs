//! `#[synchronized]`, several locks at once, prefixes, and where the URL comes from.

use std::sync::LazyLock;
use std::time::Duration;

use oslo_coordination::{Coordinator, Error, Promises, synchronized};
use tempfile::TempDir;

static DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
static COORDINATOR: LazyLock<Coordinator> = LazyLock::new(connect);

fn url() -> String {
    format!("file://{}?tokens=true", DIRECTORY.path().display())
}

fn connect() -> Coordinator {
    Coordinator::connect(&url()).unwrap()
}

/// Returns `true` if another coordinator finds the lock held.
fn is_held(name: &str) -> bool {
    match connect().lock(name).try_acquire() {
        Ok(guard) => {
            guard.release().unwrap();
            false
        }
        Err(Error::NotAcquired { .. }) => true,
        Err(error) => panic!("{error}"),
    }
}

/// The releases of dropped guards are under way.
fn is_freed(name: &str) -> bool {
    COORDINATOR.flush(Duration::from_secs(10)) && !is_held(name)
}

struct Volume {
    id: u32,
    tags: Vec<&'static str>,
    coordinator: Coordinator,
}

impl Volume {
    fn new(id: u32) -> Self {
        Volume {
            id,
            tags: vec!["a"],
            coordinator: COORDINATOR.clone(),
        }
    }

    #[synchronized("{self.id}-{f_name}", with = self.coordinator)]
    fn delete(&self) -> Result<bool, Error> {
        Ok(is_held(&format!("{}-delete", self.id)))
    }

    #[synchronized("{self.id:04}-{self.tags[0]}-{{x}}", with = COORDINATOR, guard = lock)]
    async fn attach(&self, by: &str) -> Result<(String, Option<u64>, bool), Error> {
        tokio::task::yield_now().await;
        lock.check()?;
        let name = String::from_utf8_lossy(lock[0].name()).into_owned();
        let held = is_held(&name);
        Ok((format!("{name} {by}"), lock[0].token(), held))
    }
}

#[test]
fn names_are_formatted_from_the_arguments() {
    assert!(Volume::new(7).delete().unwrap());
    assert!(is_freed("7-delete"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_async_function_holds_its_lock_across_await() {
    let attached = tokio::spawn(async { Volume::new(12).attach("me").await });
    let (name, token, held) = attached.await.unwrap().unwrap();
    assert_eq!(name, "0012-a-{x} me");
    assert!(held && token.is_some());
    assert!(is_freed("0012-a-{x}"));
}

#[synchronized("{second}", "{first}", "{second}", with = COORDINATOR, guard = guards)]
fn both(first: &str, second: &str) -> Result<Vec<String>, Error> {
    let names = guards.iter().map(|guard| guard.name());
    Ok(names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect())
}

#[test]
fn several_locks_are_acquired_in_sorted_order_and_once() {
    assert_eq!(both("v-1", "v-2").unwrap(), ["v-1", "v-2"]);
    assert_eq!(both("v-2", "v-1").unwrap(), ["v-1", "v-2"]);
    assert_eq!(both("v-3", "v-3").unwrap(), ["v-3"]);
    // They would wait for each other forever if the order were that of the arguments.
    std::thread::scope(|scope| {
        for (first, second) in [("p", "q"), ("q", "p"), ("p", "q"), ("q", "p")] {
            scope.spawn(move || (0..50).for_each(|_| drop(both(first, second).unwrap())));
        }
    });
    assert!(is_freed("p") && is_freed("q"));
}

#[test]
fn if_one_of_several_locks_fails_none_is_held() {
    let _held = COORDINATOR.lock("m-2").acquire().unwrap();
    let other = connect();
    let locks = other.locks(["m-3", "m-1", "m-2"]);
    let refused = locks.try_acquire();
    assert!(matches!(refused, Err(Error::NotAcquired { ref name }) if name == "m-2"));
    let limit = Duration::from_millis(50);
    let late = locks.clone().timeout(limit).acquire();
    assert!(matches!(late, Err(Error::Timeout { .. })), "{late:?}");
    assert!(other.flush(Duration::from_secs(10)));
    assert!(!is_held("m-1") && !is_held("m-3"));
    let guards = other.locks(["m-1", "m-3"]).acquire().unwrap();
    guards.check().unwrap();
    assert!(!guards.lost() && is_held("m-1") && is_held("m-3"));
    guards.release().unwrap();
    assert!(!is_held("m-1") && !is_held("m-3"));
}

#[derive(Debug)]
enum MyError {
    Lock(Error),
    Other,
}

impl From<Error> for MyError {
    fn from(error: Error) -> Self {
        MyError::Lock(error)
    }
}

#[synchronized("mine", with = COORDINATOR, blocking = blocking, prefix = "app")]
fn may_fail(blocking: bool, fails: bool) -> Result<u8, MyError> {
    if fails {
        return Err(MyError::Other);
    }
    Ok(7)
}

#[synchronized("panics", with = COORDINATOR, timeout = Duration::from_millis(20), or_panic)]
fn or_panic() {}

#[test]
fn errors_reach_the_caller() {
    assert!(matches!(may_fail(true, false), Ok(7)));
    assert!(matches!(may_fail(true, true), Err(MyError::Other)));
    let other = connect();
    let held = other.lock("app-mine").acquire().unwrap();
    let refused = may_fail(false, false);
    assert!(matches!(
        refused,
        Err(MyError::Lock(Error::NotAcquired { .. }))
    ));
    held.release().unwrap();
    let _held = other.lock("panics").acquire().unwrap();
    let panicked = std::panic::catch_unwind(or_panic).unwrap_err();
    let message = panicked.downcast_ref::<String>().unwrap();
    assert!(
        message.starts_with("or_panic: lock \"panics\""),
        "{message}"
    );
}

#[test]
fn a_prefix_is_for_all_locks_of_an_application() {
    let cinder = COORDINATOR.with_prefix("cinder-");
    let guard = cinder.lock("f").acquire().unwrap();
    assert_eq!(guard.name(), b"cinder-f");
    let guards = cinder.locks(["f"]).prefix("glance").acquire().unwrap();
    assert_eq!(guards[0].name(), b"glance-f");
    assert!(is_held("cinder-f") && is_held("glance-f") && !is_held("f"));
}

#[synchronized("{path}-of-the-program")]
fn of_the_program(path: &str) -> Result<bool, Error> {
    Ok(is_held(&format!("app-{path}-of-the-program")))
}

#[test]
fn the_url_comes_from_an_ini_file() {
    let directory = tempfile::tempdir().unwrap();
    let conf = directory.path().join("cinder.conf");
    let write = |text: &str| std::fs::write(&conf, text).unwrap();
    write("[coordination]\nheartbeat = 1\n");
    let missing = Coordinator::from_ini(&conf).unwrap_err();
    assert!(matches!(missing, Error::UrlRequired), "{missing}");
    assert!(missing.to_string().contains("backend_url"), "{missing}");
    write("[coordination]\nbackend_url = $no\n");
    let wrong = Coordinator::from_ini(&conf).unwrap_err().to_string();
    assert!(
        wrong.contains("cinder.conf\", line 2: backend_url refers to $no"),
        "{wrong}"
    );
    write(&format!(
        "[DEFAULT]\nstate_path = {}\n[coordination]\nbackend_url = file://$state_path\n",
        DIRECTORY.path().display()
    ));
    let coordinator = Coordinator::from_ini(&conf).unwrap().with_prefix("app");
    assert_eq!(coordinator.promises(), Promises::of("file:///x").unwrap());
    coordinator.make_global();
    assert!(of_the_program("a").unwrap());
}
