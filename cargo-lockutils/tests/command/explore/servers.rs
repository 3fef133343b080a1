//! Locks on a server: requests are steps.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use super::{explore_worker, is_replayed, project, tells};
use crate::project::{Project, stderr, stdout};

/// A lock on [`SERVER`]; the tests fill in the words in capitals.
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

/// Grants keys to connections: a key is free when its connection has closed. Ends with its input.
const SERVER: &str = "
import os, socketserver, sys, threading
keys, freed = {}, threading.Condition()
class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            request, key = line.split()
            with freed:
                # In one piece: the kernel may hold back a second one (tcp(7), TCP_NODELAY).
                self.wfile.write(self.answer(request.decode(), key) + b'\\n')
    def answer(self, request, key):
        if request == 'get':
            return b'held' if key in keys else b'free'
        if request == 'delete':
            keys.pop(key, None)
            freed.notify_all()
            return b'deleted'
        if request == 'add' and key in keys:
            return b'no'
        if request == 'wait':
            freed.wait_for(lambda: key not in keys)
        keys[key] = self
        return b'yes'
    def finish(self):
        with freed:
            for key in [key for key, owner in keys.items() if owner is self]:
                del keys[key]
            freed.notify_all()
socketserver.ThreadingTCPServer.daemon_threads = True
server = socketserver.ThreadingTCPServer(('127.0.0.1', 0), Connection)
threading.Thread(target=server.serve_forever, daemon=True).start()
print('%s:%d' % server.server_address, flush=True)
sys.stdin.read()
os._exit(0)
";

/// A server in a process of its own: the explorer waits until the process behind a server is idle,
/// and this one runs other tests.
struct TestServer {
    process: Child,
    address: String,
}

impl TestServer {
    fn start() -> Self {
        let mut process = Command::new("python3")
            .args(["-c", SERVER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut address).unwrap();
        TestServer {
            process,
            address: address.trim().to_owned(),
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
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
    let server = TestServer::start();
    for (timeout, options) in [
        ("None", vec!["--schedules", "40"]),
        // With a time limit, the client waits by poll(2).
        ("20", vec!["--schedules", "40", "--server", &server.address]),
    ] {
        let (project, output) = explored(LOOKS_THEN_SETS, &server.address, timeout, &options);
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
    let server = TestServer::start();
    for acquire in [ADDS, WAITS] {
        let (_, output) = explored(acquire, &server.address, "None", &["--schedules", "25"]);
        tells(&output, 0, &["no violation found: 25 schedules"]);
    }
}

#[test]
fn other_connections_are_no_steps_if_the_server_is_named() {
    let (server, other) = (TestServer::start(), TestServer::start());
    let options = ["--schedules", "3", "--server", &other.address];
    let (_, output) = explored(ADDS, &server.address, "None", &options);
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
