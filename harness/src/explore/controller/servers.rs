//! The servers to which workers are connected, and what they are doing.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::engines::{Key, Lease, Server, ServerError};
use crate::procfs::{self, Status};

use super::backoff::Backoff;
use super::socket::{Peer, Socket};

/// Time for which a server of the run must stand still before a request counts as unanswered.
const QUIET: Duration = Duration::from_millis(2);
/// The same for another server: it may be behind a proxy, so that the process that listens tells
/// little.
const QUIET_ELSEWHERE: Duration = Duration::from_millis(25);
/// Maximum time for which another server is waited for, which others may keep busy.
const BUSY_ELSEWHERE: Duration = Duration::from_millis(500);
/// Maximum time for which a busy server is waited for.
pub(super) const HANGS: Duration = Duration::from_secs(10);

/// Services of the system that have nothing to do with a lock.
const SYSTEM: [&str; 4] = ["/run/nscd", "/run/dbus", "/run/systemd", "/dev/log"];
const DNS: u16 = 53;

/// The servers of a run.
#[derive(Debug)]
pub struct Servers<'a> {
    /// The server that the user named. Others are not watched then.
    named: Option<&'a Server>,
    addresses: Vec<SocketAddr>,
    /// Those that were seen, in the order in which they appeared.
    seen: Vec<Peer>,
    /// The number of the server behind each connection, by the inode of its socket.
    connections: HashMap<u64, Option<usize>>,
    /// The task that was first seen to use a connection, by the port on its side.
    ports: HashMap<u16, Pid>,
    /// The processes that listen on this machine for the servers that were not started for the run.
    listeners: Vec<Pid>,
    /// Set if a server may have changed since the waiting workers were looked at.
    pub changed: bool,
}

impl<'a> Servers<'a> {
    pub fn new(named: Option<&'a Server>) -> Self {
        Servers {
            named,
            addresses: named.map(Server::addresses).unwrap_or_default(),
            seen: Vec::new(),
            connections: HashMap::new(),
            ports: HashMap::new(),
            listeners: Vec::new(),
            changed: false,
        }
    }

    /// Forgets the connections of the last schedule.
    pub fn clear(&mut self) {
        self.connections.clear();
        self.ports.clear();
        self.changed = false;
    }

    /// Brings the named server to its initial state.
    pub fn reset(&self, name: &str) -> Result<(), ServerError> {
        self.named.map_or(Ok(()), |server| server.reset(name))
    }

    /// All leases of the named server.
    pub fn leases(&self, name: &str) -> Result<Vec<Lease>, ServerError> {
        self.named
            .map_or(Ok(Vec::new()), |server| server.leases(name))
    }

    /// All keys of the named server; `None` if it cannot list them.
    pub fn keys(&self, name: &str) -> Result<Option<Vec<Key>>, ServerError> {
        self.named.map_or(Ok(None), |server| server.keys(name))
    }

    /// Ends a lease.
    pub fn expire(&self, lease: &Lease, name: &str) -> Result<(), ServerError> {
        self.named
            .map_or(Ok(()), |server| server.expire(lease, name))
    }

    /// Returns `true` if the end of a connection may change the state of its server.
    pub fn has_sessions(&self) -> bool {
        let engine = self.named.and_then(Server::engine);
        engine.is_none_or(|engine| engine.sessions)
    }

    /// The number of the server to which a descriptor of a stopped task is connected. `workers` are
    /// all tasks of workers.
    pub fn behind(
        &mut self,
        tid: Pid,
        fd: i32,
        workers: impl Iterator<Item = Pid>,
    ) -> Option<usize> {
        let inode = procfs::socket_inode(&procfs::descriptor_target(tid, fd).ok()?)?;
        if let Some(known) = self.connections.get(&inode) {
            return *known;
        }
        // A socket that is not connected yet is looked at again.
        let socket = Socket::of(tid, fd).ok()?;
        let peer = socket.peer()?;
        let is_server = self.is_server(&peer, tid, workers);
        let number = is_server.then(|| self.number(peer, tid));
        if let Some(port) = socket.port().filter(|_| is_server) {
            self.ports.insert(port, tid);
        }
        self.connections.insert(inode, number);
        number
    }

    /// The task that uses the connection from this port.
    pub fn user_of(&self, port: u16) -> Option<Pid> {
        self.ports.get(&port).copied()
    }

    /// Returns `true` if a worker was seen to use a server.
    pub fn are_used(&self) -> bool {
        !self.seen.is_empty()
    }

    /// Returns `true` if a worker may use a server.
    pub fn matter(&self) -> bool {
        self.named.is_some() || self.are_used()
    }

    /// Returns `true` if the named server tells which leases there are.
    pub fn tell_leases(&self) -> bool {
        self.named.is_some_and(Server::has_leases)
    }

    /// The number of the server behind a connection that has been seen before.
    pub fn known(&self, tid: Pid, fd: i32) -> Option<usize> {
        if self.connections.is_empty() {
            return None;
        }
        let inode = procfs::socket_inode(&procfs::descriptor_target(tid, fd).ok()?)?;
        *self.connections.get(&inode)?
    }

    fn number(&mut self, peer: Peer, tid: Pid) -> usize {
        let known = self.seen.iter().position(|seen| *seen == peer);
        known.unwrap_or_else(|| {
            if self.process().is_none() {
                self.listeners.extend(listeners(&peer, tid));
            }
            self.seen.push(peer);
            self.seen.len() - 1
        })
    }

    fn is_server(&self, peer: &Peer, tid: Pid, workers: impl Iterator<Item = Pid>) -> bool {
        match peer {
            Peer::Tcp(address) if self.named.is_some() => self.addresses.contains(address),
            Peer::Unix(..) if self.named.is_some() => false,
            Peer::Tcp(address) if address.port() == DNS => false,
            Peer::Tcp(address) => {
                let listening = procfs::listening(tid, address.port());
                listening.is_empty() || !hold(workers, &listening)
            }
            Peer::Unix(name, listener) => {
                let name = name.strip_prefix("/var").unwrap_or(name);
                let name = Path::new("/").join(name);
                let is_system = SYSTEM.iter().any(|system| name.starts_with(system));
                let workers: HashSet<Pid> = workers.map(process_of).collect();
                !is_system && !workers.contains(listener)
            }
        }
    }

    /// Waits until the server has answered on this connection, or stands still without an answer;
    /// `before` is what had been [received](Socket::received) before the request. `rest` lets the
    /// workers' own events pass. Returns `true` if an answer has arrived.
    pub fn await_answer(
        &self,
        socket: &Socket,
        before: u64,
        unread: u64,
        mut rest: impl FnMut(Duration),
    ) -> bool {
        let began = Instant::now();
        let mut quiet = Quiet::new();
        let mut backoff = Backoff::new();
        loop {
            // Without unread bytes, the socket tells when the answer is there.
            let time = match unread {
                0 => Duration::from_millis(1),
                _ => Duration::ZERO,
            };
            let over = socket.wait(time);
            if socket.received() != before || over {
                return true;
            }
            if self.are_quiet(&mut quiet) || began.elapsed() > HANGS {
                return false;
            }
            rest(match unread {
                0 => Duration::ZERO,
                _ => backoff.next(),
            });
        }
    }

    /// Waits until the server stands still.
    pub fn settle(&self, mut rest: impl FnMut(Duration)) {
        let began = Instant::now();
        let mut quiet = Quiet::new();
        let mut backoff = Backoff::new();
        while !self.are_quiet(&mut quiet) && began.elapsed() < HANGS {
            rest(backoff.next());
        }
    }

    fn are_quiet(&self, quiet: &mut Quiet) -> bool {
        match self.process() {
            Some(process) => quiet.lasts(&[process], QUIET),
            None => {
                let lasts = quiet.lasts(&self.listeners, QUIET_ELSEWHERE);
                lasts || quiet.began.elapsed() > BUSY_ELSEWHERE
            }
        }
    }

    /// The process of a server of the run.
    fn process(&self) -> Option<Pid> {
        let process = self.named.and_then(Server::process)?;
        Some(Pid::from_raw(process.cast_signed()))
    }
}

fn process_of(tid: Pid) -> Pid {
    Status::of(tid).map_or(tid, |status| status.process)
}

/// Returns `true` if one of these tasks has one of these sockets open.
fn hold(tasks: impl Iterator<Item = Pid>, sockets: &[u64]) -> bool {
    let processes: HashSet<Pid> = tasks.map(process_of).collect();
    processes.into_iter().any(|process| {
        let mut fds = procfs::descriptors(process).into_iter().flatten();
        fds.any(|fd| {
            let target = procfs::descriptor_target(process, fd).ok();
            let inode = target.and_then(|target| procfs::socket_inode(&target));
            inode.is_some_and(|inode| sockets.contains(&inode))
        })
    })
}

/// The processes on this machine that listen for this peer.
fn listeners(peer: &Peer, tid: Pid) -> Vec<Pid> {
    match peer {
        Peer::Unix(_, listener) => vec![*listener],
        Peer::Tcp(address) => {
            let sockets = procfs::listening(tid, address.port());
            let holds = |process: &Pid| hold(std::iter::once(*process), &sockets);
            match address.ip().is_loopback() && !sockets.is_empty() {
                true => procfs::all().filter(holds).collect(),
                false => Vec::new(),
            }
        }
    }
}

/// The states and context switches of the threads of a server.
type Scan = Vec<(Pid, char, u64)>;

/// Finds out whether a server stands still.
struct Quiet {
    began: Instant,
    since: Option<(Instant, Scan)>,
}

impl Quiet {
    fn new() -> Self {
        Quiet {
            began: Instant::now(),
            since: None,
        }
    }

    /// Returns `true` once all threads of these processes have slept for this time.
    fn lasts(&mut self, processes: &[Pid], time: Duration) -> bool {
        let scan: Scan = processes
            .iter()
            .flat_map(|process| scan(*process))
            .collect();
        if scan.iter().any(|(_, state, _)| matches!(state, 'R' | 'D')) {
            self.since = None;
            return false;
        }
        match &self.since {
            Some((since, before)) if *before == scan => since.elapsed() > time,
            _ => {
                self.since = Some((Instant::now(), scan));
                false
            }
        }
    }
}

/// All threads of a process and its descendants, except this process and its own descendants: the
/// workers.
fn scan(process: Pid) -> Scan {
    if process == Pid::this() {
        return Scan::new();
    }
    let threads = procfs::threads(process).into_iter().flatten();
    let own = threads.filter_map(|thread| {
        let status = Status::of(thread.id())?;
        Some((thread.id(), status.state, status.context_switches))
    });
    let mut all: Scan = own.collect();
    all.extend(procfs::children_of(process).flat_map(scan));
    all.sort_unstable();
    all
}
