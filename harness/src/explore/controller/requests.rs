//! Requests to servers. While the answer is on its way, all workers stand still, so the state of a
//! server is a function of the order of the requests.

use std::time::Duration;

use nix::unistd::Pid;

use crate::engines::{Lease, ServerError};
use crate::procfs;
use crate::protocol::Capability;

use super::super::entry::Entry;
use super::super::requests::Request;
use super::super::syscalls::{self, Call, Operation, SystemCall};
use super::Controller;
use super::parked::Parked;
use super::socket::Socket;
use super::worker::Unanswered;

/// Maximum number of writes of one request.
const MOST_PARTS: usize = 100;

/// A connection just before a request.
#[derive(Debug)]
pub(super) struct BeforeRequest {
    socket: Socket,
    received: u64,
    unread: u64,
}

impl Controller<'_> {
    /// The request that a call makes to a server, or the end of a session there.
    pub(super) fn request(
        &mut self,
        tid: Pid,
        system_call: &SystemCall,
        entry: &Entry,
    ) -> Option<Call> {
        let fd = entry.int(0);
        if let Some(sends) = system_call.sends {
            let tasks = self.tracer.tasks.keys().copied();
            let server = self.servers.behind(tid, fd, tasks)?;
            let request = match syscalls::sent(tid, entry, sends) {
                Some(bytes) if bytes.is_empty() => return None,
                Some(bytes) => Request::of(server, &bytes),
                None => Request::unknown(server),
            };
            return Some(Call::request(entry.number, fd, request));
        }
        if system_call.closes() && self.servers.has_sessions() {
            let server = self.servers.known(tid, fd)?;
            return Some(Call::disconnect(entry.number, fd, server));
        }
        None
    }

    /// Returns `true` if a worker that has just become ready has a connection to a server.
    pub(super) fn is_connected(&mut self, number: usize, process: Pid) -> bool {
        let all = || procfs::descriptors(process).into_iter().flatten();
        let is_server = |fd: i32| {
            let tasks = self.tracer.tasks.keys().copied();
            self.servers.behind(process, fd, tasks).is_some()
        };
        self.workers[number].capabilities.has(Capability::Zygote) && all().any(is_server)
    }

    /// The state of the connection of a call that is about to be made.
    pub(super) fn before_request(&self, tid: Pid, call: &Call) -> Option<BeforeRequest> {
        call.request.as_ref()?;
        let socket = Socket::of(tid, call.fd?).ok()?;
        Some(BeforeRequest {
            received: socket.received(),
            unread: socket.unread(),
            socket,
        })
    }

    /// Waits for the answer to a request that was sent.
    pub(super) fn after_request(
        &mut self,
        number: usize,
        tid: Pid,
        call: &mut Call,
        before: Option<BeforeRequest>,
        result: i64,
    ) {
        let Some(fd) = call.fd.filter(|_| call.operation.is_on_server()) else {
            return;
        };
        self.servers.changed = true;
        if call.operation == Operation::Disconnect {
            self.settle_servers();
            return;
        }
        let Some(before) = before.filter(|_| result > 0) else {
            return;
        };
        let BeforeRequest {
            socket,
            received,
            unread,
        } = before;
        let unanswered = &mut self.workers[number].unanswered;
        unanswered.retain(|one| one.fd != fd);
        let tracer = &self.tracer;
        let answered = self
            .servers
            .await_answer(&socket, received, unread, |time| {
                if !time.is_zero() {
                    tracer.wait(time);
                }
            });
        match answered {
            true => {
                self.workers[number].answered = Some((tid, fd));
                let bytes = socket.peek();
                let unread = usize::try_from(unread).unwrap_or(usize::MAX);
                if let Some(request) = &mut call.request {
                    request.answered(bytes.get(unread..).unwrap_or_default());
                }
            }
            false => self.workers[number]
                .unanswered
                .push(Unanswered { tid, fd, received }),
        }
    }

    /// Sends what belongs to the same request as a call that was made: the worker goes on to send
    /// although nobody has answered. The whole is one step, with the last answer.
    pub(super) fn send_the_rest(&mut self, number: usize, tid: Pid, call: &mut Call) {
        for _ in 0..MOST_PARTS {
            let worker = &mut self.workers[number];
            let is_same = |one: &Unanswered| one.tid == tid && Some(one.fd) == call.fd;
            if !worker.unanswered.iter().any(is_same) {
                return;
            }
            let next = worker.next_call().filter(|&place| {
                let Parked {
                    tid: by,
                    call: next,
                    ..
                } = &worker.parked[place];
                *by == tid && next.fd == call.fd && next.operation == Operation::Request
            });
            let Some(parked) = next.and_then(|place| worker.parked.remove(place)) else {
                return;
            };
            if let (Some(request), Some(part)) = (&mut call.request, self.send(number, parked)) {
                request.continued(part);
            }
            self.settle(number, Duration::ZERO);
        }
    }

    /// Makes the next call of a worker if it is a request that concerns its connection alone: that
    /// can happen at any time, and is not a step.
    pub(super) fn send_silently(&mut self, number: usize) -> bool {
        let worker = &mut self.workers[number];
        let is_silent = |place: &usize| worker.parked[*place].call.is_silent();
        let place = worker.next_call().filter(is_silent);
        let parked = place.and_then(|place| worker.parked.remove(place));
        parked.map(|parked| self.send(number, parked)).is_some()
    }

    pub(super) fn send(&mut self, number: usize, parked: Parked) -> Option<Request> {
        let Parked { tid, mut call, .. } = parked;
        let connection = self.before_request(tid, &call);
        let result = self.make_call(tid).unwrap_or(0);
        self.after_request(number, tid, &mut call, connection, result);
        self.tracer.resume(tid);
        call.request
    }

    /// All leases of the lock on the server that the user named.
    pub fn leases(&self) -> Result<Vec<Lease>, ServerError> {
        self.servers.leases(&self.spawner.name)
    }

    /// Ends a lease.
    pub fn expire(&mut self, lease: &Lease) -> Result<(), ServerError> {
        self.servers.changed = true;
        self.servers.expire(lease, &self.spawner.name)
    }

    /// Ends all leases, as time does.
    pub fn expire_all(&mut self) -> Result<(), ServerError> {
        for lease in self.leases()? {
            self.expire(&lease)?;
        }
        Ok(())
    }

    /// The worker whose connection has this port on its side.
    pub fn owner_of_port(&self, port: u16) -> Option<usize> {
        self.tracer.tasks.get(&self.servers.user_of(port)?).copied()
    }

    /// Returns `true` if the lock is on a server.
    pub fn uses_servers(&self) -> bool {
        self.servers.are_used()
    }

    /// Returns `true` if the server tells when each lease ends.
    pub fn knows_leases(&self) -> bool {
        self.servers.tell_leases()
    }

    /// Lets the servers act before a worker counts as waiting: it may have connected to one. Returns
    /// `true` if there is one.
    pub(super) fn let_servers_act(&mut self, number: usize) -> bool {
        let worker = &mut self.workers[number];
        // Otherwise this was done when it sent its request.
        if !self.servers.matter() || !worker.unanswered.is_empty() {
            return false;
        }
        for wait in &mut worker.held_waits {
            wait.idle = false;
        }
        self.settle_servers();
        true
    }

    /// Returns `true` if an answer lies ready for this task, so that a wait would be over at once.
    pub(super) fn has_answer(&self, tid: Pid, number: usize) -> bool {
        let answered = self.workers[number].answered.filter(|(by, _)| *by == tid);
        answered
            .is_some_and(|(tid, fd)| Socket::of(tid, fd).is_ok_and(|socket| socket.unread() > 0))
    }

    /// Waits until the servers stand still.
    pub(super) fn settle_servers(&self) {
        let tracer = &self.tracer;
        self.servers.settle(|time| tracer.wait(time));
    }

    /// Lets the workers continue whose requests have been answered meanwhile.
    pub(super) fn hear_from_servers(&mut self) {
        let waits = self
            .workers
            .iter()
            .any(|worker| !worker.unanswered.is_empty());
        if !waits || !std::mem::take(&mut self.servers.changed) {
            return;
        }
        self.settle_servers();
        for worker in &mut self.workers {
            let before = worker.unanswered.len();
            worker.unanswered.retain(|one| {
                let socket = Socket::of(one.tid, one.fd);
                socket.is_ok_and(|socket| {
                    !socket.wait(Duration::ZERO) && socket.received() == one.received
                })
            });
            if worker.unanswered.len() < before {
                worker.stir();
            }
        }
    }
}
