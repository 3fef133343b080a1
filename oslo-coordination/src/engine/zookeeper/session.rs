//! The session of a coordinator, and the connection that continues it.

use std::collections::HashMap;
use std::mem;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::connection::{Connection, Ticket, no_answer};
use super::options::Settings;
use super::record::{Record, SYNC};
use crate::engine::contract::{Claim, RequestError};
use crate::engine::lease::Lease;
use crate::engine::losses::Losses;
use crate::engine::opening::Opening;
use crate::net;
use crate::sync::{Mutex, lock};

pub(super) struct Session {
    settings: Settings,
    opening: Opening,
    state: Mutex<State>,
    /// The newest state of the server that was seen.
    seen: Arc<AtomicI64>,
    /// Notified when a connection has ended.
    broken: Notify,
    losses: Losses,
}

#[derive(Default)]
struct State {
    ticket: Option<Ticket>,
    connection: Option<Arc<Connection>>,
    /// The server that is used, or tried next.
    server: usize,
    nodes: HashMap<Arc<str>, Node>,
}

/// The node of a claim in this session.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// `None` if its creation was not answered.
    pub(super) created: Option<Created>,
    /// The contender next before it, when they were listed last.
    pub(super) predecessor: Option<String>,
    /// A request to delete it was sent.
    pub(super) deleting: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Created {
    pub(super) name: String,
    /// The transaction that created it.
    pub(super) transaction: i64,
}

/// The server counts a request that another server has answered only when that one reports it,
/// at the latest half a tick later. So the last part of a session's time is not relied on.
const RELIABLE: (u32, u32) = (2, 3);
/// Pause between two attempts to connect.
const REST: Duration = Duration::from_millis(100);

impl Session {
    pub(super) fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Session {
            settings,
            opening: Opening::default(),
            state: Mutex::default(),
            seen: Arc::default(),
            broken: Notify::new(),
            losses: Losses::default(),
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The part of the session's time that a holder relies on.
    pub(super) fn lease(&self) -> Lease {
        let ticket = lock(&self.state).ticket;
        let timeout = ticket.map_or(self.settings.timeout, |ticket| ticket.timeout);
        let (part, whole) = RELIABLE;
        Lease {
            duration: timeout * part / whole,
        }
    }

    pub(super) fn request_limit(&self) -> Duration {
        self.settings.limit.min(self.lease().request_limit())
    }

    /// A session that exists leaves less time than a new one. A server that is starting may never
    /// answer a first request.
    fn opening_limit(&self) -> Duration {
        let continues = lock(&self.state).ticket.is_some();
        match continues {
            true => self.request_limit(),
            false => self.settings.limit.min(self.settings.timeout / 2),
        }
    }

    /// The connection, opened if there is none.
    pub(super) async fn connection(self: &Arc<Self>) -> Result<Arc<Connection>, RequestError> {
        let open = self.open_in_time();
        self.opening.share(|| self.current(), open).await
    }

    async fn open_in_time(self: &Arc<Self>) -> Result<Arc<Connection>, RequestError> {
        let limit = self.opening_limit();
        match timeout(limit, self.open()).await {
            Ok(opened) => opened,
            Err(_) => {
                self.turn();
                Err(RequestError::not_sent(no_answer(limit)))
            }
        }
    }

    pub(super) fn current(&self) -> Option<Arc<Connection>> {
        let connection = lock(&self.state).connection.clone();
        connection.filter(|connection| !connection.has_ended())
    }

    /// Tries the servers one after another.
    async fn open(self: &Arc<Self>) -> Result<Arc<Connection>, RequestError> {
        let mut last = None;
        for _ in &self.settings.addresses {
            match self.open_at_current_server().await {
                Ok(connection) => return Ok(connection),
                Err(error) => {
                    self.turn();
                    last = Some(error);
                }
            }
        }
        Err(last.expect("a URL has at least one server"))
    }

    async fn open_at_current_server(self: &Arc<Self>) -> Result<Arc<Connection>, RequestError> {
        loop {
            let (server, ticket) = {
                let state = lock(&self.state);
                (state.server, state.ticket)
            };
            let addresses = &self.settings.addresses;
            let address = &addresses[server % addresses.len()];
            let limit = self.opening_limit();
            let stream = net::connect(address, self.settings.tls.as_ref(), limit).await;
            let owner = Arc::downgrade(self);
            let opened = Connection::open(
                stream.map_err(RequestError::not_sent)?,
                ticket.unwrap_or(Ticket::new(self.settings.timeout)),
                &self.seen,
                self.settings.login.as_deref(),
                move || {
                    if let Some(session) = Weak::upgrade(&owner) {
                        session.broken.notify_one();
                    }
                },
            )
            .await?;
            let Some((connection, ticket)) = opened else {
                self.expired();
                continue;
            };
            let connection = Arc::new(connection);
            let mut state = lock(&self.state);
            state.ticket = Some(ticket);
            state.connection = Some(Arc::clone(&connection));
            return Ok(connection);
        }
    }

    fn turn(&self) {
        let mut state = lock(&self.state);
        state.server = state.server.wrapping_add(1);
    }

    /// Leaves a connection that does not answer. The session goes on with the next one.
    pub(super) fn unanswered(&self, connection: &Arc<Connection>) {
        let mut state = lock(&self.state);
        let current = &mut state.connection;
        let is_current = |current: &mut Arc<Connection>| Arc::ptr_eq(current, connection);
        if current.take_if(is_current).is_some() {
            state.server = state.server.wrapping_add(1);
            drop(state);
            connection.close();
            self.broken.notify_one();
        }
    }

    /// Records that the server has ended the session, and its nodes with it.
    fn expired(&self) {
        let mut state = lock(&self.state);
        state.ticket = None;
        let nodes = mem::take(&mut state.nodes);
        self.losses.add(nodes.into_keys());
    }

    /// Waits for claims that have lost their lock, or their place in the queue.
    pub(super) async fn lost(&self) -> Vec<Arc<str>> {
        self.losses.take().await
    }

    pub(super) fn node(&self, claim: &Claim) -> Option<Node> {
        lock(&self.state).nodes.get(&claim.id).cloned()
    }

    pub(super) fn set_node(&self, claim: &Claim, change: impl FnOnce(&mut Node)) {
        let mut state = lock(&self.state);
        change(state.nodes.entry(Arc::clone(&claim.id)).or_default());
    }

    pub(super) fn forget(&self, claim: &Claim) {
        lock(&self.state).nodes.remove(&claim.id);
    }

    /// Makes the leader know that the session is in use.
    pub(super) async fn touch(&self, connection: &Arc<Connection>) -> Result<(), RequestError> {
        let root = Record::default().text("/");
        match connection.ask(SYNC, root, self.request_limit()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(RequestError::refused(error)),
            Err(error) => {
                self.unanswered(connection);
                Err(error)
            }
        }
    }

    /// Keeps the session while it is idle, and continues it when its connection breaks, so that an
    /// expired session is noticed.
    pub(super) fn keep(self: &Arc<Self>) {
        let session = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(strong) = session.upgrade() {
                let pause = match strong.connection().await {
                    Ok(connection) => {
                        let _ = strong.touch(&connection).await;
                        strong.lease().duration / 3
                    }
                    Err(_) => REST,
                };
                // Weak while it sleeps: the end of the session ends this.
                let _ = timeout(pause, strong.broken.notified()).await;
            }
        });
    }
}
