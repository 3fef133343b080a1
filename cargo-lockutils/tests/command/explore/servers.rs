//! Locks on a server: requests are steps.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use super::{explore_worker, is_replayed, project, tells};
use crate::project::{Project, stderr, stdout};

/// A lock on [`SERVER`]; the tests fill in the words in capitals.
const WORKER: &str = "
import os, socket, threading, time
from lockutils_worker import serve
def connect():
    host, port = 'ADDRESS'.split(':')
    return socket.create_connection((host, int(port)), TIMEOUT).makefile('rw')
def ask(server, request, name):
    server.write(request + ' ' + name + '\\n')
    server.flush()
    return server.readline().strip()
class Lock:
    def __init__(self, directory, name):
        self.name, self.server = name, None
    def ask(self, request):
        if self.server is None:
            self.server = connect()
        return ask(self.server, request, self.name)
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
        if request == 'renew':
            return b'renewed'
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
    explored_as("", acquire, address, timeout, options)
}

/// The same with further lines of the worker.
fn explored_as(
    lines: &str,
    acquire: &str,
    address: &str,
    timeout: &str,
    options: &[&str],
) -> (Project, Output) {
    let worker = (WORKER.to_owned() + lines)
        .replace("ACQUIRE", acquire.trim())
        .replace("ADDRESS", address)
        .replace("TIMEOUT", timeout);
    let project = project(&(worker + "serve(Lock)\n"));
    // A slow machine is not to blame: without a lease, long holds are excused.
    let common = ["--duration", "60s", "--lease", "20s", "--save", "found.txt"];
    let scenario: &[&str] = match options.contains(&"--scenario") {
        true => &[],
        false => &["--scenario", "contend"],
    };
    let output = explore_worker(&project, &[&common[..], scenario, options].concat());
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

/// Keeps something alive on a connection of its own, from the first command on.
const HEARTBEAT: &str = "
def beat(name):
    server, stopped = connect(), threading.Event()
    while True:
        PAUSE
        ask(server, 'renew', name)
class Beating(Lock):
    def __init__(self, directory, name):
        super().__init__(directory, name)
        self.thread = None
    def acquire(self):
        if self.thread is None:
            self.thread = threading.Thread(target=beat, args=(self.name,), daemon=True)
            self.thread.start()
        super().acquire()
Lock = Beating
";

#[test]
fn a_heartbeat_on_a_connection_of_its_own_is_no_step() {
    let server = TestServer::start();
    for pause in ["stopped.wait(0.1)", "time.sleep(0.1)"] {
        let beats = HEARTBEAT.replace("PAUSE", pause);
        // It ends with the first violation, sooner or later: the threads start when they can.
        let options = ["--schedules", "400"];
        let (project, output) =
            explored_as(&beats, LOOKS_THEN_SETS, &server.address, "None", &options);
        tells(&output, 1, &["BROKEN after", "request get lock-"]);
        assert!(!stdout(&output).contains("renew"), "{}", stdout(&output));
        // When it acts is no choice of the scheduler, so not every replay is the same.
        let again = project.run(&["replay", "found.txt", "--times", "3"]);
        assert!(!stdout(&again).contains("renew"), "{}", stdout(&again));
        let options = ["--schedules", "15"];
        let (_, output) = explored_as(&beats, ADDS, &server.address, "None", &options);
        tells(&output, 0, &["no violation found: 15 schedules"]);
    }
}

/// Connects before it is ready, and offers to be forked.
const POOL: &str = "
POOL = [connect()]
ask(POOL[0], 'get', 'warm')
class Pooled(Lock):
    def __init__(self, directory, name):
        self.name, self.server = name, POOL[0]
Lock = Pooled
";

#[test]
fn a_connection_from_before_the_first_command_is_not_shared() {
    let server = TestServer::start();
    let afresh = "it has a connection to a server, which copies of it would share";
    for (acquire, status, told) in [
        (LOOKS_THEN_SETS, 1, "BROKEN after"),
        (WAITS, 0, "no violation found: 6 schedules"),
    ] {
        let options = ["--schedules", "6", "--workers", "2"];
        let (_, output) = explored_as(POOL, acquire, &server.address, "None", &options);
        tells(&output, status, &[told, afresh]);
        assert!(!stdout(&output).contains("warm"), "{}", stdout(&output));
    }
}

/// A thread that is at work before the command gets the lock for the others.
const AGENT: &str = "
class Agent(Lock):
    def __init__(self, directory, name):
        super().__init__(directory, name)
        self.wanted, self.got = False, threading.Event()
        threading.Thread(target=self.work, daemon=True).start()
    def work(self):
        while True:
            time.sleep(0.02)
            if self.wanted and self.ask('add') == 'yes':
                self.wanted = False
                self.got.set()
    def acquire(self):
        self.got.clear()
        self.wanted = True
        self.got.wait()
Agent.forks = False
Lock = Agent
print = None
lock = Agent(os.environ['LOCKUTILS_DIR'], os.environ['LOCKUTILS_NAME'])
time.sleep(0.05)
Lock = lambda directory, name: lock
";

#[test]
fn requests_whose_order_is_not_known_give_no_verdict() {
    let server = TestServer::start();
    let options = ["--schedules", "5"];
    let (_, output) = explored_as(AGENT, ADDS, &server.address, "None", &options);
    tells(&output, 2, &["not known"]);
    // Such a worker may also keep a schedule from coming to its end.
    let printed = stdout(&output);
    let reasons = [
        "by requests of a thread that was at work before the command",
        "a schedule took more than 20 s",
        "has computed for 10 s without an answer",
    ];
    assert!(
        reasons.iter().any(|reason| printed.contains(reason)),
        "{printed}"
    );
}

/// Tells the server that it is there whenever it starts.
const WARMS_UP: &str = "
ask(connect(), 'set', 'warm-' + os.environ['LOCKUTILS_NAME'])
";

#[test]
fn what_a_fresh_worker_does_before_it_is_ready_is_no_step() {
    let server = TestServer::start();
    let options = ["--scenario", "respawn", "--schedules", "15"];
    for (acquire, status, told) in [
        (LOOKS_THEN_SETS, 1, "BROKEN after"),
        (ADDS, 0, "respawn   no violation found: 15 schedules"),
    ] {
        let (_, output) = explored_as(WARMS_UP, acquire, &server.address, "None", &options);
        tells(&output, status, &[told]);
        assert!(!stdout(&output).contains("warm"), "{}", stdout(&output));
    }
}

#[test]
fn a_configured_lock_has_its_server() {
    let server = TestServer::start();
    let worker = WORKER
        .replace("ACQUIRE", LOOKS_THEN_SETS.trim())
        .replace("'ADDRESS'", "os.environ['LOCKUTILS_SERVERS']")
        .replace("TIMEOUT", "None");
    let project = project(&(worker + "serve(Lock)\n"));
    let manifest = fs::read_to_string(project.folder().join("Cargo.toml")).unwrap();
    let explored = |keys: &str| {
        let lock = format!(
            "\n[[package.metadata.lockutils.lock]]\nname = \"jobs\"\nlease = \"20s\"\n\
             worker = \"python3 worker.py\"\nexplore = {{ scenarios = [\"contend\"], {keys} }}\n"
        );
        project.write("p/Cargo.toml", &format!("{manifest}{lock}"));
        project.run(&["explore", "--lock", "jobs", "--schedules", "40"])
    };
    let found = explored(&format!("server = \"{}\"", server.address));
    tells(&found, 1, &["BROKEN after", "request get lock-"]);
    for (keys, why) in [
        ("servers = \"rediss\"", "did you mean `redis`?"),
        ("server = \"somewhere\"", "ENGINE://HOST:PORT"),
        ("servers = \"redis\", server = \"127.0.0.1:9\"", "not both"),
    ] {
        let refused = explored(keys);
        assert_eq!(refused.status.code(), Some(2), "{keys}");
        assert!(stderr(&refused).contains(why), "{}", stderr(&refused));
    }
}
