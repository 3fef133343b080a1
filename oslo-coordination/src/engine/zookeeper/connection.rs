//! One connection to a server: requests in order, their answers, and events of watches.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::record::{AUTH, Answer, Record, malformed};
use crate::engine::contract::RequestError;
use crate::net::Stream;
use crate::sync::{Mutex, Ordering, lock};

/// Numbers of packets that are no requests.
const EVENT: i32 = -1;
const LOGIN: i32 = -4;

pub(super) const NO_NODE: i32 = -101;
pub(super) const NODE_EXISTS: i32 = -110;
const CONNECTION_LOSS: i32 = -4;
const SESSION_EXPIRED: i32 = -112;
const SESSION_MOVED: i32 = -118;

/// Maximum length of an answer.
const LONGEST: usize = 64 << 20;
/// The length of a session's password.
const PASSWORD: usize = 16;

/// A session of the server, which outlives its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) session: i64,
    password: [u8; PASSWORD],
    /// The time that the server has agreed to.
    pub(super) timeout: Duration,
}

/// An answer that reports an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ServerError(pub(super) i32);

/// The body of an answer.
pub(super) type Reply = Result<Vec<u8>, ServerError>;

pub(super) struct Connection {
    shared: Arc<Shared>,
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    tasks: [AbortHandle; 2],
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    ended: AtomicBool,
    /// The newest state of the server that was seen, so that no older one is seen later.
    seen: Arc<AtomicI64>,
}

#[derive(Default)]
struct State {
    last: i32,
    /// Requests without an answer, in order.
    unanswered: VecDeque<(i32, oneshot::Sender<Reply>)>,
    /// Those who wait for an event of a path, or for the end of the connection.
    watchers: HashMap<String, Vec<oneshot::Sender<()>>>,
}

impl Ticket {
    /// Asks for a new session.
    pub(super) fn new(timeout: Duration) -> Self {
        Ticket {
            session: 0,
            password: [0; PASSWORD],
            timeout,
        }
    }
}

impl Connection {
    /// Begins or continues a session. The result has no session if it has expired.
    pub(super) async fn open(
        mut stream: Box<dyn Stream>,
        ticket: Ticket,
        seen: &Arc<AtomicI64>,
        login: Option<&str>,
        on_end: impl FnOnce() + Send + 'static,
    ) -> Result<Option<(Self, Ticket)>, RequestError> {
        let milliseconds = i32::try_from(ticket.timeout.as_millis()).unwrap_or(i32::MAX);
        let request = Record::default()
            .int(0)
            .long(seen.load(Ordering::SeqCst))
            .int(milliseconds)
            .long(ticket.session)
            .bytes(&ticket.password)
            .flag(false);
        let exchange = async {
            stream.write_all(&request.framed()).await?;
            stream.flush().await?;
            frame(&mut stream).await
        };
        let frame = exchange.await.map_err(RequestError::not_sent)?;
        let ticket = answered(&frame).map_err(RequestError::not_sent)?;
        let Some(ticket) = ticket else {
            return Ok(None);
        };
        let shared = Arc::new(Shared {
            seen: Arc::clone(seen),
            ..Shared::default()
        });
        let (reader, writer) = split(stream);
        let (outgoing, queue) = mpsc::unbounded_channel();
        let writing = tokio::spawn(write(writer, queue)).abort_handle();
        let (end, abort) = (Arc::clone(&shared), writing.clone());
        let reading = tokio::spawn(async move {
            let _ = read(reader, &end).await;
            end.end();
            abort.abort();
            on_end();
        });
        let connection = Connection {
            shared,
            outgoing,
            tasks: [writing, reading.abort_handle()],
        };
        if let Some(login) = login {
            connection.log_in(login).await?;
        }
        Ok(Some((connection, ticket)))
    }

    async fn log_in(&self, login: &str) -> Result<(), RequestError> {
        let login = Record::default()
            .int(0)
            .text("digest")
            .bytes(login.as_bytes());
        let answer = self.send(Some(LOGIN), AUTH, login);
        match answer.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(RequestError::refused(error)),
            Err(_) => Err(RequestError::not_sent(ended())),
        }
    }

    /// Sends a request now, and returns its answer.
    pub(super) fn ask(
        &self,
        operation: i32,
        body: Record,
        limit: Duration,
    ) -> impl Future<Output = Result<Reply, RequestError>> + Send + use<> {
        let answer = self.send(None, operation, body);
        async move {
            match timeout(limit, answer).await {
                Ok(Ok(Err(error))) if error.is_passing() => Err(RequestError::unclear(error)),
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(_)) => Err(RequestError::unclear(ended())),
                Err(_) => Err(RequestError::unclear(no_answer(limit))),
            }
        }
    }

    fn send(&self, number: Option<i32>, operation: i32, body: Record) -> oneshot::Receiver<Reply> {
        let (sender, receiver) = oneshot::channel();
        let mut state = lock(&self.shared.state);
        if self.has_ended() {
            return receiver;
        }
        let number = number.unwrap_or_else(|| {
            state.last = state.last.checked_add(1).unwrap_or(1);
            state.last
        });
        let request = Record::default().int(number).int(operation).append(body);
        // In the order of the queue.
        if self.outgoing.send(request.framed()).is_ok() {
            state.unanswered.push_back((number, sender));
        }
        receiver
    }

    /// The next event of a path, or the end of the connection. To be called before the request that
    /// sets the watch.
    pub(super) fn event(&self, path: &str) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut state = lock(&self.shared.state);
        if !self.has_ended() {
            let watchers = state.watchers.entry(path.to_owned()).or_default();
            watchers.retain(|watcher| !watcher.is_closed());
            watchers.push(sender);
        }
        receiver
    }

    /// Ends the connection, and its requests and watches.
    pub(super) fn close(&self) {
        self.shared.end();
        for task in &self.tasks {
            task.abort();
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.shared.ended.load(Ordering::SeqCst)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Ends all requests and watches: their senders are dropped.
    fn end(&self) {
        let mut state = lock(&self.state);
        self.ended.store(true, Ordering::SeqCst);
        let old = std::mem::take(&mut *state);
        drop(state);
        drop(old);
    }

    fn receive(&self, frame: &[u8]) -> io::Result<()> {
        let mut answer = Answer(frame);
        let (number, state_of_server, error) = (answer.int()?, answer.long()?, answer.int()?);
        if number == EVENT {
            let (_kind, _state) = (answer.int()?, answer.int()?);
            let path = answer.text()?;
            let watchers = lock(&self.state).watchers.remove(path);
            for watcher in watchers.into_iter().flatten() {
                let _ = watcher.send(());
            }
            return Ok(());
        }
        self.seen.fetch_max(state_of_server, Ordering::SeqCst);
        let asked = lock(&self.state).unanswered.pop_front();
        let Some((_, caller)) = asked.filter(|(asked, _)| *asked == number) else {
            return Err(malformed());
        };
        let _ = caller.send(match error {
            0 => Ok(answer.0.to_vec()),
            error => Err(ServerError(error)),
        });
        Ok(())
    }
}

async fn read(mut stream: ReadHalf<Box<dyn Stream>>, shared: &Shared) -> io::Result<()> {
    loop {
        let frame = frame(&mut stream).await?;
        shared.receive(&frame)?;
    }
}

async fn write(
    mut stream: WriteHalf<Box<dyn Stream>>,
    mut queue: mpsc::UnboundedReceiver<Vec<u8>>,
) -> io::Result<()> {
    while let Some(mut bytes) = queue.recv().await {
        while let Ok(more) = queue.try_recv() {
            bytes.extend(more);
        }
        stream.write_all(&bytes).await?;
        stream.flush().await?;
    }
    Ok(())
}

async fn frame(stream: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Vec<u8>> {
    let length = usize::try_from(stream.read_i32().await?).unwrap_or(usize::MAX);
    if length > LONGEST {
        return Err(malformed());
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}

/// The session that a server grants; `None` if it has expired.
fn answered(frame: &[u8]) -> io::Result<Option<Ticket>> {
    let mut answer = Answer(frame);
    let (_protocol, timeout, session) = (answer.int()?, answer.int()?, answer.long()?);
    let Ok(milliseconds @ 1..) = u64::try_from(timeout) else {
        return Ok(None);
    };
    let password = answer.bytes()?.try_into().map_err(|_| malformed())?;
    Ok(Some(Ticket {
        session,
        password,
        timeout: Duration::from_millis(milliseconds),
    }))
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the connection has ended")
}

pub(super) fn no_answer(limit: Duration) -> io::Error {
    let message = format!("no answer within {limit:?}");
    io::Error::new(io::ErrorKind::TimedOut, message)
}

impl ServerError {
    /// Returns `true` if another connection may have another answer.
    fn is_passing(self) -> bool {
        matches!(self.0, CONNECTION_LOSS | SESSION_EXPIRED | SESSION_MOVED)
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.0 {
            CONNECTION_LOSS => "connection loss",
            -8 => "bad arguments",
            NO_NODE => "no node",
            -102 => "no permission",
            -108 => "no ephemeral node may have children",
            NODE_EXISTS => "the node exists",
            SESSION_EXPIRED => "the session has expired",
            -114 => "invalid permissions",
            -115 => "the login failed",
            SESSION_MOVED => "the session has moved",
            -119 => "the server is read-only",
            code => return write!(f, "error {code} of ZooKeeper"),
        };
        write!(f, "{meaning} ({})", self.0)
    }
}

impl std::error::Error for ServerError {}
