//! Locks on a server: requests are steps.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::thread;

use super::{explore_worker, is_replayed, project, tells};
use crate::project::{Project, stderr, stdout};

/// A lock on the server of [`serve`]: `first` looks whether it is free, `then` takes it.
const WORKER: &str = "
import os, socket, time
from lockutils_worker import serve
class Lock:
    def __init__(self, directory, name):
        self.name, self.server = name, None
    def ask(self, request):
        if self.server is None:
            host, port = 'ADDRESS'.split(':')
            self.server = socket.create_connection((host, int(port)), TIMEOUT).makefile('rw')
        self.server.write(request + ' ' + self.name + '\\n')
        self.server.flush()
        return self.server.readline().strip()
    def acquire(self):
        ACQUIRE
    def release(self):
        self.ask('delete')
";
const ADDS: &str = "
        while self.ask('add') != 'yes':
            time.sleep(0.01)
";
const LOOKS_THEN_SETS: &str = "
        while self.ask('get') != 'free':
            time.sleep(0.01)
        self.ask('set')
";
const WAITS: &str = "
        self.ask('wait')
";

/// Starts a server in this process. It grants keys to connections: a key is free when its connection
/// has closed. Returns its address.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let keys: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let freed = Arc::new(std::sync::Condvar::new());
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let (keys, freed) = (Arc::clone(&keys), Arc::clone(&freed));
            thread::spawn(move || {
                let _ = answer(number, &stream.unwrap(), &keys, &freed);
                keys.lock().unwrap().retain(|_, owner| *owner != number);
                freed.notify_all();
            });
        }
    });
    address
}

fn answer(
    number: usize,
    stream: &TcpStream,
    keys: &Mutex<HashMap<String, usize>>,
    freed: &std::sync::Condvar,
) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let (request, key) = line.split_once(' ').unwrap();
        let mut keys = keys.lock().unwrap();
        let answer = match request {
            "get" if keys.contains_key(key) => "held",
            "get" => "free",
            "add" if keys.contains_key(key) => "no",
            "wait" => {
                keys = freed
                    .wait_while(keys, |keys| keys.contains_key(key))
                    .unwrap();
                keys.insert(key.to_owned(), number);
                "yes"
            }
            "add" | "set" => {
                keys.insert(key.to_owned(), number);
                "yes"
            }
            _ => {
                keys.remove(key);
                freed.notify_all();
                "deleted"
            }
        };
        drop(keys);
        // In one piece: the kernel may hold back a second one (tcp(7), TCP_NODELAY).
        writer.write_all(format!("{answer}\n").as_bytes())?;
    }
    Ok(())
}

fn explored(acquire: &str, address: &str, timeout: &str, options: &[&str]) -> (Project, Output) {
    let worker = WORKER
        .replace("ACQUIRE", acquire.trim())
        .replace("ADDRESS", address)
        .replace("TIMEOUT", timeout);
    let project = project(&(worker + "serve(Lock)\n"));
    // A slow machine is not to blame: without a lease, long holds are excused.
    let common = [
        "--scenario",
        "contend",
        "--duration",
        "60s",
        "--lease",
        "20s",
    ];
    let common = [&common[..], &["--save", "found.txt"]].concat();
    let output = explore_worker(&project, &[&common[..], options].concat());
    (project, output)
}

#[test]
fn a_race_between_two_requests_is_found_and_replayed() {
    let address = serve();
    for (timeout, options) in [
        ("None", vec!["--schedules", "40"]),
        // With a time limit, the client waits by poll(2).
        ("20", vec!["--schedules", "40", "--server", &address]),
    ] {
        let (project, output) = explored(LOOKS_THEN_SETS, &address, timeout, &options);
        tells(
            &output,
            1,
            &[
                "BROKEN after",
                "request get lock-",
                "the server answers free",
                "ENTERS THE SECTION",
            ],
        );
        is_replayed(&project);
    }
}

#[test]
fn a_lock_that_the_server_grants_in_one_request_holds() {
    let address = serve();
    for acquire in [ADDS, WAITS] {
        let (_, output) = explored(acquire, &address, "None", &["--schedules", "25"]);
        tells(&output, 0, &["no violation found: 25 schedules"]);
    }
}

#[test]
fn other_connections_are_no_steps_if_the_server_is_named() {
    let (address, other) = (serve(), serve());
    let options = ["--schedules", "3", "--server", &other];
    let (_, output) = explored(ADDS, &address, "None", &options);
    tells(&output, 2, &["no call that touches the lock was seen"]);
}

#[test]
fn what_cannot_be_started_or_ended_is_said() {
    let project = project(&(WORKER.replace("ACQUIRE", "pass") + "serve(Lock)\n"));
    let explore = |options: &[&str]| {
        let output = explore_worker(&project, options);
        assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
        stderr(&output)
    };
    let unknown = explore(&["--servers", "rediss"]);
    assert!(unknown.contains("did you mean `redis`?"), "{unknown}");
    let malformed = explore(&["--server", "somewhere"]);
    assert!(malformed.contains("ENGINE://HOST:PORT"), "{malformed}");
    let leases = explore(&["--server", "127.0.0.1:9", "--scenario", "expire"]);
    assert!(leases.contains("leases can be ended"), "{leases}");
    let both = explore(&["--server", "127.0.0.1:9", "--servers", "redis"]);
    assert!(both.contains("cannot be used with"), "{both}");
}
