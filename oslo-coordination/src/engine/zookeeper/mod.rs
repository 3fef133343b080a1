//! Locks of ZooKeeper, under the paths of tooz's `zookeeper` driver, by the recipe of kazoo.
//!
//! Each claim creates a node below `/tooz/locks/NAME` that ends with the session and whose name has
//! a number from the server. The one with the lowest number has the lock; each other one watches
//! the one before it, and nothing else, so that a release wakes one waiter. All locks of a
//! coordinator share one session. The transaction that created the node is the token: it grows with
//! the numbers.
//!
//! # The life of a claim
//!
//! ```text
//!         create             answer            none before it
//! absent ───────> unanswered ──────> contends ───────────────> holds
//!    ▲                │ no answer       │ ▲                      │
//!    │                ▼         watches │ │ event                │ delete
//!    │            looked up by          ▼ │                      ▼
//!    └─────────── its prefix          waits                    absent
//! ```
//!
//! | interruption | then |
//! |---|---|
//! | the caller leaves, in any state | the node is looked up if its name is unknown, and deleted |
//! | the connection breaks | another one continues the session: nothing is lost until its time has passed; a creation without an answer is looked up after a `sync`, which its server's leader orders behind it |
//! | no answer within the limit | the same, on purpose, with the next server |
//! | the session expires | every claim of it is absent: what was held is lost and reported |
//! | the node before it is deleted | the contenders are listed again: it may have been a waiter |
//!
//! A server answers reads and pings of clients that it cannot report to its leader any more, which
//! then ends their sessions. So a lease is renewed with `sync`, which the leader answers, and is
//! two thirds of the session's time.

mod connection;
mod nodes;
mod options;
mod record;
mod session;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use self::connection::{Connection, NO_NODE, NODE_EXISTS, Reply, ServerError};
use self::options::Settings;
use self::record::{Answer, Record};
use self::session::{Created, Node, Session};
use super::contract::{
    Answered, Boxed, Claim, ConnectError, Engine, Grant, RequestError, Seen, Waited,
};
use crate::clock::BootTime;
use crate::lock_name::LockName;
use crate::rt;
use crate::url::ServiceUrl;

pub(super) struct ZookeeperEngine {
    session: Arc<Session>,
    /// As the first session was granted.
    lease: Duration,
}

/// Pause after a watch that could not be set.
const REST: Duration = Duration::from_millis(20);

impl ZookeeperEngine {
    pub(super) async fn connect(url: &ServiceUrl) -> Result<Self, ConnectError> {
        let settings = Settings::of(url).map_err(ConnectError::Url)?;
        let session = Session::new(settings);
        let check = async {
            let connection = session.connection().await?;
            session.touch(&connection).await
        };
        match check.await {
            Ok(()) => {
                session.keep();
                let lease = session.lease().duration;
                Ok(ZookeeperEngine { session, lease })
            }
            Err(error) => Err(ConnectError::Unreachable {
                address: session.settings().address(),
                cause: error.cause,
            }),
        }
    }

    fn parent(&self, claim: &Claim) -> String {
        nodes::parent(&self.session.settings().namespace, &claim.name)
    }

    /// Sends a request; an answer that does not come ends the connection.
    fn request<'a>(
        &'a self,
        connection: &'a Arc<Connection>,
        operation: i32,
        body: Record,
    ) -> impl Future<Output = Result<Reply, RequestError>> + Send + use<'a> {
        let answer = connection.ask(operation, body, self.session.request_limit());
        async move {
            let answer = answer.await;
            if answer.is_err() {
                self.session.unanswered(connection);
            }
            answer
        }
    }

    /// Creates the node of a claim, and lists the contenders.
    async fn create(
        &self,
        connection: &Arc<Connection>,
        claim: &Claim,
    ) -> Result<Vec<String>, RequestError> {
        let parent = self.parent(claim);
        let protected = self.session.settings().login.is_some();
        self.session.set_node(claim, |_| ());
        loop {
            let create = Record::default()
                .text(&format!("{parent}/{}", nodes::prefix(&claim.id)))
                .bytes(claim.id.as_bytes())
                .permissions(protected)
                .int(record::EPHEMERAL_IN_SEQUENCE);
            // Sent at once, carried out one after the other.
            let created = self.request(connection, record::CREATE_WITH_STAT, create);
            let listed = self.list(connection, &parent);
            let (created, listed) = (created.await?, listed.await);
            match created {
                Ok(answer) => {
                    let created = created_node(&answer).map_err(RequestError::unclear)?;
                    self.session
                        .set_node(claim, |node| node.created = Some(created));
                    return listed;
                }
                Err(ServerError(NO_NODE)) => {}
                Err(error) => {
                    self.session.forget(claim);
                    return Err(RequestError::refused(error));
                }
            }
            self.provide(connection, &parent).await?;
        }
    }

    /// Creates the nodes of a path that do not exist.
    async fn provide(&self, connection: &Arc<Connection>, path: &str) -> Result<(), RequestError> {
        let protected = self.session.settings().login.is_some();
        let ends = path.match_indices('/').map(|(at, _)| at).skip(1);
        for end in ends.chain([path.len()]) {
            let create = Record::default()
                .text(&path[..end])
                .bytes(b"")
                .permissions(protected)
                .int(record::PERSISTENT);
            match self.request(connection, record::CREATE, create).await? {
                Ok(_) | Err(ServerError(NODE_EXISTS)) => {}
                Err(error) => return Err(RequestError::refused(error)),
            }
        }
        Ok(())
    }

    /// The names of the nodes below a path.
    fn list<'a>(
        &'a self,
        connection: &'a Arc<Connection>,
        parent: &str,
    ) -> impl Future<Output = Result<Vec<String>, RequestError>> + Send + use<'a> {
        let children = Record::default().text(parent).flag(false);
        let answer = self.request(connection, record::CHILDREN, children);
        async move {
            match answer.await? {
                Ok(answer) => Answer(&answer).texts().map_err(RequestError::unclear),
                Err(ServerError(NO_NODE)) => Ok(Vec::new()),
                Err(error) => Err(RequestError::refused(error)),
            }
        }
    }

    /// Looks for the node of a claim whose creation was not answered.
    async fn find(
        &self,
        connection: &Arc<Connection>,
        claim: &Claim,
    ) -> Result<Option<Created>, RequestError> {
        // Behind everything that the leader has ordered.
        self.session.touch(connection).await?;
        let parent = self.parent(claim);
        let prefix = nodes::prefix(&claim.id);
        let children = self.list(connection, &parent).await?;
        let Some(name) = children.into_iter().find(|name| name.starts_with(&prefix)) else {
            return Ok(None);
        };
        let path = format!("{parent}/{name}");
        let exists = Record::default().text(&path).flag(false);
        match self.request(connection, record::EXISTS, exists).await? {
            Ok(answer) => {
                let transaction = Answer(&answer).long().map_err(RequestError::unclear)?;
                let created = Created { name, transaction };
                let found = created.clone();
                self.session
                    .set_node(claim, |node| node.created = Some(found));
                Ok(Some(created))
            }
            Err(ServerError(NO_NODE)) => Ok(None),
            Err(error) => Err(RequestError::refused(error)),
        }
    }

    async fn contend(&self, claim: &Claim, asked: BootTime) -> Result<Answered, RequestError> {
        let connection = self.session.connection().await?;
        let mut children = None;
        // A node of an earlier session is forgotten with it.
        match self.session.node(claim) {
            Some(Node {
                created: Some(_), ..
            }) => {}
            Some(_) if self.find(&connection, claim).await?.is_some() => {}
            _ => children = Some(self.create(&connection, claim).await?),
        }
        let children = match children {
            Some(children) => children,
            None => self.list(&connection, &self.parent(claim)).await?,
        };
        let created = self.session.node(claim).and_then(|node| node.created);
        let Some(created) = created else {
            return Err(expired());
        };
        let Ok(predecessor) = nodes::predecessor(&created.name, &children) else {
            self.session.forget(claim);
            return Err(expired());
        };
        if let Some(predecessor) = predecessor {
            self.session.set_node(claim, |node| {
                node.predecessor = Some(predecessor.to_owned())
            });
            return Ok(Answered::Held(Seen::default()));
        }
        Ok(Answered::Granted(Grant {
            token: u64::try_from(created.transaction).ok(),
            until: Some(self.session.lease().until(asked)),
        }))
    }

    /// Waits until the node before the claim's own may be gone.
    async fn until_next(&self, claim: &Claim) -> Result<(), RequestError> {
        let node = self.session.node(claim);
        let (Some(connection), Some(node)) = (self.session.current(), node) else {
            return Err(expired());
        };
        let Some(predecessor) = node.predecessor else {
            return Ok(());
        };
        let path = format!("{}/{predecessor}", self.parent(claim));
        let event = connection.event(&path);
        // Unlike `exists`, this leaves no watch behind if the node is gone.
        let get = Record::default().text(&path).flag(true);
        match self.request(&connection, record::GET, get).await? {
            Ok(_) => {
                let _ = event.await;
                Ok(())
            }
            Err(ServerError(NO_NODE)) => Ok(()),
            Err(error) => Err(RequestError::refused(error)),
        }
    }

    async fn withdraw(&self, claim: &Claim) -> Result<bool, RequestError> {
        if self.session.node(claim).is_none() {
            return Ok(false);
        }
        // This may tell that the session has expired.
        let connection = self.session.connection().await?;
        let Some(node) = self.session.node(claim) else {
            return Ok(false);
        };
        let created = match node.created {
            Some(created) => Some(created),
            None => self.find(&connection, claim).await?,
        };
        let Some(created) = created else {
            self.session.forget(claim);
            return Ok(false);
        };
        self.session.set_node(claim, |node| node.deleting = true);
        let path = format!("{}/{}", self.parent(claim), created.name);
        let delete = Record::default().text(&path).int(-1);
        let deleted = match self.request(&connection, record::DELETE, delete).await? {
            Ok(_) => true,
            // An earlier request was carried out, if there was one.
            Err(ServerError(NO_NODE)) => node.deleting,
            Err(error) => return Err(RequestError::refused(error)),
        };
        self.session.forget(claim);
        Ok(deleted)
    }

    async fn renewed(
        &self,
        claims: &[Claim],
        asked: BootTime,
    ) -> Result<Vec<Option<BootTime>>, RequestError> {
        let connection = self.session.connection().await?;
        let touched = self.session.touch(&connection);
        // A session outlives a node that an administrator deletes.
        let exist: Vec<_> = claims
            .iter()
            .map(|claim| {
                let created = self.session.node(claim)?.created?;
                let path = format!("{}/{}", self.parent(claim), created.name);
                let exists = Record::default().text(&path).flag(false);
                Some(self.request(&connection, record::EXISTS, exists))
            })
            .collect();
        touched.await?;
        let until = self.session.lease().until(asked);
        let mut renewed = Vec::with_capacity(claims.len());
        for exists in exist {
            renewed.push(match exists {
                None => None,
                Some(answer) => match answer.await? {
                    Ok(_) => Some(until),
                    Err(ServerError(NO_NODE)) => None,
                    Err(error) => return Err(RequestError::refused(error)),
                },
            });
        }
        Ok(renewed)
    }
}

/// The node in the answer to its creation.
fn created_node(answer: &[u8]) -> io::Result<Created> {
    let mut answer = Answer(answer);
    let path = answer.text()?;
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    Ok(Created {
        name,
        transaction: answer.long()?,
    })
}

fn expired() -> RequestError {
    RequestError::not_sent(io::Error::other(
        "the session has expired, or its node was deleted",
    ))
}

impl Engine for ZookeeperEngine {
    fn name(&self) -> &'static str {
        "zookeeper"
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.lease)
    }

    fn check_name(&self, name: &LockName) -> Result<(), &'static str> {
        nodes::check(name).map(drop)
    }

    fn ask<'a>(
        &'a self,
        claim: &'a Claim,
        asked: BootTime,
    ) -> Boxed<'a, Result<Answered, RequestError>> {
        Box::pin(self.contend(claim, asked))
    }

    fn wait<'a>(&'a self, claim: &'a Claim, _seen: Seen) -> Boxed<'a, Waited> {
        Box::pin(async move {
            if self.until_next(claim).await.is_err() {
                rt::sleep(REST).await;
            }
            Waited::AskAgain
        })
    }

    fn queues(&self) -> bool {
        true
    }

    fn lost<'a>(&'a self) -> Boxed<'a, Vec<Arc<str>>> {
        Box::pin(self.session.lost())
    }

    fn release<'a>(&'a self, claim: &'a Claim) -> Boxed<'a, Result<bool, RequestError>> {
        Box::pin(self.withdraw(claim))
    }

    fn renew<'a>(
        &'a self,
        claims: &'a [Claim],
        asked: BootTime,
    ) -> Boxed<'a, Result<Vec<Option<BootTime>>, RequestError>> {
        Box::pin(self.renewed(claims, asked))
    }
}
