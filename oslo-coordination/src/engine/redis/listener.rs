//! Releases as events, over a connection of their own.
//!
//! The first wait opens the connection. It speaks RESP3, which Redis has had since 6.0: there a
//! refused subscription is an error, and messages need no other client. Every channel has a
//! *revision*, which is 0 unless the server has confirmed the subscription, and a new number at each
//! confirmation and at each message. `ask` notes it before its request leaves, and `wait` returns
//! when it is another.
//!
//! ```text
//!        first wait         SUBSCRIBE           confirmed: waits return
//! absent ─────────> new, 0 ──────────> asked, 0 ──────────> listening, n ─┐ message:
//!   ^                 ^  ^                │                  │  │    ^    │ waits return
//!   │                 │  └────────────────┘ refused          │  │    └────┘
//!   │                 └──────────────────────────────────────┘  │
//!   │                   the connection breaks: waits return     │
//!   └───────────────────────────────────────────────────────────┘ unused for a whole period
//! ```
//!
//! No release is missed. If `ask` noted a subscription, it was in effect before the server handled
//! the request, so any later release changes the revision. If it noted none, the confirmation does,
//! and the coordinator looks again.
//!
//! | interruption | then |
//! |---|---|
//! | a wait is dropped | only its receiver goes: all requests are made by one task. The channel is unsubscribed after one or two periods without a wait, and the connection closed with the last one |
//! | the connection breaks, or an answer is late | waits return once and poll; the task connects again after a period |
//! | the server refuses a subscription | its waits poll; it is asked again after a period |
//! | the server is too old, or refuses the connection | waits poll; the task connects again after a period |
//! | the coordinator ends | its runtime drops the task, and with it the connection |

use std::collections::HashMap;
use std::io;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Pipeline, ProtocolVersion, PushInfo, PushKind, Value};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connection::{no_answer, open};
use super::options::Settings;
use crate::clock::BootTime;
use crate::engine::contract::Cause;
use crate::rt;
use crate::sync::{Mutex, lock};

pub(super) struct Listener(Arc<Shared>);

struct Shared {
    settings: Arc<Settings>,
    state: Mutex<State>,
    /// There is a new channel, or the connection has ended.
    changed: Notify,
}

#[derive(Default)]
struct State {
    channels: HashMap<Vec<u8>, Channel>,
    last_revision: i64,
    /// There is a task that listens, or tries to.
    has_task: bool,
    is_broken: bool,
    /// A failure was logged, and nothing was confirmed since.
    is_logged: bool,
}

struct Channel {
    revision: watch::Sender<i64>,
    /// The server was asked to subscribe, on this connection and in this period.
    asked: bool,
    /// A wait has begun in this period.
    used: bool,
}

/// Time between two attempts to connect or to subscribe, and between two looks for channels that
/// are unused.
const PERIOD: Duration = Duration::from_secs(2);

impl Listener {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Listener(Arc::new(Shared {
            settings,
            state: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// The revision of a channel; 0 if it is not subscribed.
    pub(super) fn revision(&self, channel: &[u8]) -> i64 {
        let state = lock(&self.0.state);
        let channel = state.channels.get(channel);
        channel.map_or(0, |channel| *channel.revision.borrow())
    }

    /// Waits until the revision of a channel is not `seen`. It may be dropped at any time.
    pub(super) async fn changed(&self, channel: Vec<u8>, seen: i64) {
        let mut revision = self.enter(channel);
        // A channel that has a receiver is kept, so this is no error.
        let _ = revision.wait_for(|now| *now != seen).await;
    }

    fn enter(&self, name: Vec<u8>) -> watch::Receiver<i64> {
        let mut state = lock(&self.0.state);
        let channel = state.channels.entry(name).or_insert_with(|| Channel {
            revision: watch::Sender::new(0),
            asked: false,
            used: true,
        });
        channel.used = true;
        let receiver = channel.revision.subscribe();
        if !channel.asked {
            self.0.changed.notify_one();
        }
        if !mem::replace(&mut state.has_task, true) {
            tokio::spawn(listen(Arc::clone(&self.0)));
        }
        receiver
    }
}

/// Listens as long as there are channels.
async fn listen(shared: Arc<Shared>) {
    while let Err(error) = shared.serve().await {
        shared.log(&error);
        shared.disconnected();
        rt::sleep(PERIOD).await;
        if shared.forget_unused().is_none() {
            return;
        }
    }
}

impl Shared {
    /// Connects and subscribes, until no channel is left.
    async fn serve(self: &Arc<Self>) -> Result<(), Cause> {
        let mut login = self.settings.login.clone();
        login = login.set_protocol(ProtocolVersion::RESP3);
        let receiver = Arc::clone(self);
        let config = AsyncConnectionConfig::new().set_push_sender(move |push| {
            receiver.receive(&push);
            Ok::<(), io::Error>(())
        });
        let (mut connection, driver) = open(&self.settings, &login, config)
            .await
            .map_err(|error| error.cause)?;
        lock(&self.state).is_broken = false;
        // Aborted when this returns, so that nothing is received on an old connection.
        let mut driving = JoinSet::new();
        let ending = Arc::clone(self);
        driving.spawn(async move {
            driver.await;
            lock(&ending.state).is_broken = true;
            ending.changed.notify_one();
        });
        let mut end_of_period = BootTime::now() + PERIOD;
        loop {
            let new = self.ask_for_new();
            self.send(&mut connection, "SUBSCRIBE", &new).await?;
            let left = end_of_period.since(BootTime::now());
            if timeout(left, self.changed.notified()).await.is_err() {
                let Some(unused) = self.forget_unused() else {
                    return Ok(());
                };
                self.send(&mut connection, "UNSUBSCRIBE", &unused).await?;
                end_of_period = BootTime::now() + PERIOD;
            }
            if lock(&self.state).is_broken {
                return Err(Arc::new(io::Error::from(io::ErrorKind::ConnectionReset)));
            }
        }
    }

    /// Sends one request for each channel. Each is answered alone, so that one that is refused
    /// does not matter to the others.
    async fn send(
        &self,
        connection: &mut MultiplexedConnection,
        command: &str,
        channels: &[Vec<u8>],
    ) -> Result<(), Cause> {
        if channels.is_empty() {
            return Ok(());
        }
        let mut requests = Pipeline::with_capacity(channels.len());
        for channel in channels {
            requests.cmd(command).arg(channel);
        }
        let limit = self.settings.request_limit;
        match timeout(limit, requests.query_async::<()>(connection)).await {
            Ok(Ok(())) => Ok(()),
            // If it is the connection, the driver has seen its end too.
            Ok(Err(error)) => {
                self.log(&(Arc::new(error) as Cause));
                Ok(())
            }
            Err(_) => Err(Arc::new(no_answer(limit))),
        }
    }

    fn receive(&self, push: &PushInfo) {
        let is_confirmation = match push.kind {
            PushKind::Subscribe => true,
            PushKind::Message => false,
            _ => return,
        };
        let Some(Value::BulkString(name)) = push.data.first() else {
            return;
        };
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let Some(channel) = state.channels.get(name) else {
            return;
        };
        // A message for an earlier subscription says nothing about this one.
        if is_confirmation || *channel.revision.borrow() != 0 {
            state.last_revision += 1;
            channel.revision.send_replace(state.last_revision);
        }
        state.is_logged &= !is_confirmation;
    }

    /// The channels to subscribe to.
    fn ask_for_new(&self) -> Vec<Vec<u8>> {
        let mut state = lock(&self.state);
        let channels = state.channels.iter_mut();
        channels
            .filter_map(|(name, channel)| {
                (!mem::replace(&mut channel.asked, true)).then(|| name.clone())
            })
            .collect()
    }

    /// Ends a period. Returns the channels that were unused; `None` if no other is left, and the
    /// task has to end.
    fn forget_unused(&self) -> Option<Vec<Vec<u8>>> {
        let mut state = lock(&self.state);
        let mut unused = Vec::new();
        state.channels.retain(|name, channel| {
            // What was refused is asked for again.
            channel.asked &= *channel.revision.borrow() != 0;
            let used = mem::replace(&mut channel.used, false);
            let keep = used || channel.revision.receiver_count() > 0;
            if !keep {
                unused.push(name.clone());
            }
            keep
        });
        state.has_task = !state.channels.is_empty();
        state.has_task.then_some(unused)
    }

    fn disconnected(&self) {
        for channel in lock(&self.state).channels.values_mut() {
            channel.asked = false;
            channel
                .revision
                .send_if_modified(|revision| mem::replace(revision, 0) != 0);
        }
    }

    /// Logs the first failure after a success.
    fn log(&self, error: &Cause) {
        if !mem::replace(&mut lock(&self.state).is_logged, true) {
            tracing::debug!(
                engine = "redis",
                %error,
                "cannot listen for releases; waits poll"
            );
        }
    }
}
