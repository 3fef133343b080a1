//! What is peculiar to PostgreSQL: sessions, queues of the server, poolers, standbys, permissions.

use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use lockutils_harness::testing::coordination::Service as _;
use lockutils_harness::testing::coordination::proxy::Proxy;
use lockutils_tests::debian;
use lockutils_tests::servers::{AS_POSTGRES, Server};
use lockutils_tests::until::until;
use oslo_coordination::{Coordinator, Error};

use crate::engines::{Service, postgres, postgres_of};
use crate::{acquires_although_its_connection_falls_silent, get_it_in_order, rust};

/// So long that no lock is freed by its lease in a test.
const LEASE: &str = "40";
const AT_ONCE: Duration = Duration::from_secs(2);

/// The connections of coordinators.
fn connections(service: &Service) -> String {
    service.command(&[
        "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_activity
        WHERE application_name = 'oslo-coordination'",
    ])
}

/// Requests for locks that are not granted.
fn waiting(service: &Service) -> String {
    service.command(&["SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"])
}

#[test]
fn a_session_that_ends_loses_its_locks_at_once_and_the_next_one_gets_them() {
    for how in ["terminated", "cut", "restarted"] {
        println!("{how}");
        let service = postgres(LEASE);
        let proxy = Proxy::start(service.port());
        let coordinator = Coordinator::connect(&service.url_through(&proxy)).unwrap();
        let guard = coordinator.lock("x").acquire().unwrap();
        let token = guard.token();
        let mut next = (how != "restarted").then(|| rust(&service.url));
        if let Some(next) = &mut next {
            next.send("acquire x");
            until("it waits", || (waiting(&service) == "1").then_some(()));
        }
        let (send, told) = channel();
        guard.on_lost(move || send.send(Instant::now()).unwrap());
        let ended = Instant::now();
        match how {
            "terminated" => assert!(service.remove("x")),
            "cut" => proxy.cut(),
            _ => {
                let server = service.server.as_ref().unwrap();
                server.kill();
                server.start_again();
            }
        }
        let told = told.recv_timeout(AT_ONCE).expect("the callback");
        assert!(told - ended < AT_ONCE, "{:?}", told - ended);
        assert!(matches!(guard.check(), Err(Error::Lost { .. })));
        if let Some(mut next) = next {
            assert_eq!(next.answer(), "acquired");
            assert_eq!(next.ask("release x"), "released");
        }
        assert!(matches!(guard.release(), Err(Error::Lost { .. })));
        let lock = coordinator.lock("x");
        let guard = lock.timeout(Duration::from_secs(30)).acquire().unwrap();
        assert!(guard.token() > token);
    }
}

/// A session that is not cut goes on: its next renewal tells.
#[test]
fn a_renewal_that_is_answered_late_loses_no_lock() {
    let lease = Duration::from_secs(2);
    let service = postgres("2");
    let proxy = Proxy::start(service.port());
    let coordinator = Coordinator::connect(&service.url_through(&proxy)).unwrap();
    let guard = coordinator.lock("x").acquire().unwrap();
    proxy.answers().close();
    until("a renewal is unanswered", || {
        (proxy.answers().held_back() > 0).then_some(())
    });
    assert!(!guard.lost());
    proxy.answers().open();
    std::thread::sleep(lease);
    guard.check().expect("the next renewal was answered");
    proxy.requests().close();
    until("it is lost", || guard.lost().then_some(()));
    let direct = Coordinator::connect(&service.url).unwrap();
    let lock = direct.lock("x");
    drop(lock.timeout(Duration::from_secs(10)).acquire().unwrap());
}

/// The connection is silent, and the server does not know yet that it was given up.
#[test]
fn a_session_that_is_given_up_is_ended_by_the_next_one() {
    let service = postgres("8");
    let proxy = Proxy::start(service.port());
    let coordinator = Coordinator::connect(&service.url_through(&proxy)).unwrap();
    let first = connections(&service);
    acquires_although_its_connection_falls_silent(&service, &proxy, &coordinator);
    assert!(!connections(&service).contains(&first));
}

#[test]
fn an_idle_coordinator_keeps_its_session() {
    let service = postgres("1");
    let coordinator = Coordinator::connect(&service.url).unwrap();
    let first = connections(&service);
    let guard = coordinator.lock("x").acquire().unwrap();
    std::thread::sleep(Duration::from_secs(3));
    guard.check().unwrap();
    guard.release().unwrap();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(connections(&service), first);
}

/// The server queues them, and wakes each at the release before it.
#[test]
fn waiters_get_the_lock_in_the_order_in_which_they_came() {
    let service = postgres(LEASE);
    let coordinator = Coordinator::connect(&service.url).unwrap();
    let guard = coordinator.lock("x").acquire().unwrap();
    let mut others: Vec<_> = (0..3).map(|_| rust(&service.url)).collect();
    for (number, other) in others.iter_mut().enumerate() {
        other.send("acquire x");
        let count = (number + 1).to_string();
        until("it waits", || (waiting(&service) == count).then_some(()));
    }
    drop(guard);
    get_it_in_order(&mut others);
}

#[test]
fn a_wait_that_ends_leaves_nothing_in_the_queue() {
    let service = postgres(LEASE);
    let holder = Coordinator::connect(&service.url).unwrap();
    let waiter = Coordinator::connect(&service.url).unwrap();
    let guard = holder.lock("x").acquire().unwrap();
    for wait in [0, 1, 5, 20, 50, 100] {
        let limit = Duration::from_millis(wait);
        let outcome = waiter.lock("x").timeout(limit).acquire();
        assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
        assert!(waiter.flush(Duration::from_secs(10)));
        assert_eq!(waiting(&service), "0");
    }
    guard.check().unwrap();
    guard.release().unwrap();
    assert_eq!(service.is_held("x"), Some(false));
}

/// More claims wait than sessions may.
#[test]
fn waiters_without_a_session_get_the_lock_too() {
    for waiters in [0, 1] {
        let service = postgres(LEASE);
        let url = format!("{}&waiters={waiters}", service.url);
        let holder = Coordinator::connect(&service.url).unwrap();
        let waiter = Coordinator::connect(&url).unwrap();
        let names: Vec<String> = (0..6).map(|number| format!("volume-{number}")).collect();
        let guards: Vec<_> = names
            .iter()
            .map(|name| holder.lock(name).acquire().unwrap())
            .collect();
        std::thread::scope(|scope| {
            let waiting: Vec<_> = names
                .iter()
                .map(|name| scope.spawn(|| waiter.lock(name).acquire().map(|guard| guard.check())))
                .collect();
            std::thread::sleep(Duration::from_millis(300));
            drop(guards);
            for waiting in waiting {
                waiting.join().unwrap().unwrap().unwrap();
            }
        });
        assert!(waiter.flush(Duration::from_secs(10)));
        assert_eq!(service.is_held("x"), Some(false));
    }
}

/// Locks that were waited for are renewed in sessions of their own.
#[test]
fn a_lock_that_was_waited_for_is_kept() {
    let service = postgres("1");
    let holder = Coordinator::connect(&service.url).unwrap();
    let waiter = Coordinator::connect(&service.url).unwrap();
    let first = holder.lock("x").acquire().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let guard = waiter.lock("x").acquire().unwrap();
            std::thread::sleep(Duration::from_secs(3));
            guard.release()
        });
        // Longer than a lease, in the queue too.
        std::thread::sleep(Duration::from_secs(3));
        first.release().unwrap();
        waiting.join().unwrap().unwrap();
    });
}

/// Two names, one number of tooz.
#[test]
fn names_with_one_number_exclude_each_other_between_processes_and_free_each_other_never() {
    let service = postgres(LEASE);
    let url = format!("{}&tooz=1", service.url);
    let coordinator = Coordinator::connect(&url).unwrap();
    let one = coordinator.lock("cinder-volume-32").acquire().unwrap();
    let two = coordinator.lock("cinder-volume-262").acquire().unwrap();
    one.release().unwrap();
    let mut other = rust(&url);
    assert_eq!(other.ask("try cinder-volume-32"), "busy");
    two.release().unwrap();
    assert_eq!(other.ask("try cinder-volume-32"), "acquired");
}

#[test]
fn tokens_need_a_sequence_and_the_error_says_how_to_make_it() {
    let service = postgres(LEASE);
    service.command(&["CREATE ROLE locker LOGIN"]);
    let url = service.url.replace("lockutils@", "locker@");
    let error = Coordinator::connect(&url).unwrap_err().to_string();
    assert!(
        error.contains("CREATE SEQUENCE") && error.contains("tokens=false"),
        "{error}"
    );
    let without = Coordinator::connect(&format!("{url}&tokens=false")).unwrap();
    assert_eq!(without.lock("x").acquire().unwrap().token(), None);
    drop(Coordinator::connect(&service.url).unwrap());
    let error = Coordinator::connect(&url).unwrap_err().to_string();
    assert!(error.contains("GRANT USAGE"), "{error}");
    service.command(&["GRANT USAGE ON SEQUENCE public.oslo_coordination_token TO locker"]);
    let coordinator = Coordinator::connect(&url).unwrap();
    assert!(coordinator.lock("x").acquire().unwrap().token().is_some());
}

/// A token that cannot be drawn leaves no lock behind.
#[test]
fn a_lock_without_its_token_is_unlocked() {
    let service = postgres(LEASE);
    let coordinator = Coordinator::connect(&service.url).unwrap();
    service.command(&["DROP SEQUENCE public.oslo_coordination_token"]);
    let outcome = coordinator.lock("x").acquire();
    assert!(matches!(outcome, Err(Error::Refused { .. })), "{outcome:?}");
    assert_eq!(service.is_held("x"), Some(false));
}

#[test]
fn a_standby_is_refused() {
    let server = Server::postgres_with(&["-c", "restore_command=false"], |data| {
        std::fs::write(data.join("standby.signal"), "").unwrap();
    });
    let service = postgres_of(server, LEASE);
    let error = Coordinator::connect(&service.url).unwrap_err().to_string();
    assert!(error.contains("standby"), "{error}");
    // The next server of the URL is asked.
    let primary = postgres(LEASE);
    let url = service.url.replace(
        &format!(":{}/", service.port()),
        &format!(":{},127.0.0.1:{}/", service.port(), primary.port()),
    );
    let coordinator = Coordinator::connect(&url).unwrap();
    coordinator.lock("x").acquire().unwrap().release().unwrap();
}

/// A pooler that runs until it is dropped.
struct Pooler(Child);

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_pooler_is_refused() {
    let program = debian::provide("pgbouncer", "pgbouncer").unwrap();
    let service = postgres(LEASE);
    for (ignored, message) in [("extra_float_digits", "pooler"), ("options", "pooler")] {
        let directory = tempfile::tempdir().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\npool_mode = transaction\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\nunix_socket_dir =\n\
             ignore_startup_parameters = {ignored}\n",
            service.port()
        );
        let settings = settings.replace("* = host", "postgres = user=lockutils host");
        let file = directory.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig=KILL"]);
        if nix::unistd::geteuid().is_root() {
            let owned = Command::new("chown")
                .args(["-R", "postgres"])
                .arg(directory.path())
                .status();
            assert!(owned.unwrap().success());
            command.args(AS_POSTGRES);
        }
        command.arg("--").arg(&program).arg(&file);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let _pooler = Pooler(command.spawn().unwrap());
        until("the pooler listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        let own = service.port().to_string();
        let url = service.url.replace(&own, &port.to_string());
        let error = Coordinator::connect(&url).unwrap_err().to_string();
        assert!(error.contains(message), "{ignored}: {error}");
    }
}
