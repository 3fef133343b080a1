//! A proxy in front of a server that withholds requests or answers, or cuts connections.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The proxy. Its threads end when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    requests: Gate,
    answers: Gate,
    /// Connections that are open, so that they can be cut.
    streams: Mutex<Vec<TcpStream>>,
    /// The number of connections so far, and of those that are frozen.
    accepted: AtomicUsize,
    frozen: AtomicUsize,
    ended: AtomicBool,
}

/// Passes what goes one way, or holds it back.
#[derive(Debug, Default)]
pub struct Gate {
    closed: Mutex<bool>,
    opened: Condvar,
    held_back: AtomicUsize,
    passed: AtomicUsize,
}

impl Gate {
    /// Holds back what comes from now on.
    pub fn close(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Passes on what was held back, and what comes.
    pub fn open(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.opened.notify_all();
    }

    /// The number of pieces that are held back.
    pub fn held_back(&self) -> usize {
        self.held_back.load(Ordering::SeqCst)
    }

    /// The number of pieces that have passed.
    pub fn passed(&self) -> usize {
        self.passed.load(Ordering::SeqCst)
    }

    fn pass(&self) {
        self.held_back.fetch_add(1, Ordering::SeqCst);
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        while *closed {
            closed = self
                .opened
                .wait(closed)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(closed);
        self.held_back.fetch_sub(1, Ordering::SeqCst);
        self.passed.fetch_add(1, Ordering::SeqCst);
    }
}

impl Proxy {
    /// Starts a proxy before the server at this port of 127.0.0.1.
    ///
    /// # Panics
    /// Panics if it cannot listen.
    pub fn start(server: u16) -> Self {
        Proxy::start_before(([127, 0, 0, 1], server).into())
    }

    /// Starts a proxy before the server at this address.
    ///
    /// # Panics
    /// Panics if it cannot listen.
    pub fn start_before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let proxy = Proxy {
            port,
            shared: Arc::clone(&shared),
        };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if shared.ended.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(server) = TcpStream::connect(server) {
                    shared.forward(client, server);
                }
            }
        });
        proxy
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The way to the server.
    pub fn requests(&self) -> &Gate {
        &self.shared.requests
    }

    /// The way back.
    pub fn answers(&self) -> &Gate {
        &self.shared.answers
    }

    /// Freezes the connections of now: neither data nor their end passes any more. New ones are not
    /// affected.
    pub fn freeze(&self) {
        let accepted = self.shared.accepted.load(Ordering::SeqCst);
        self.shared.frozen.store(accepted, Ordering::SeqCst);
    }

    /// Cuts all connections; new ones are accepted.
    pub fn cut(&self) {
        for stream in self.shared.streams().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn streams(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while_frozen(&self, number: usize) {
        let is_frozen = || number < self.frozen.load(Ordering::SeqCst);
        while is_frozen() && !self.ended.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn forward(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        let number = self.accepted.fetch_add(1, Ordering::SeqCst);
        let both = [&client, &server].map(|stream| stream.try_clone().expect("a descriptor"));
        self.streams().extend(both);
        let pairs = [
            (
                client.try_clone().expect("a descriptor"),
                server.try_clone().expect("one more"),
            ),
            (server, client),
        ];
        for (way, (mut from, mut to)) in pairs.into_iter().enumerate() {
            let shared = Arc::clone(self);
            let _ = to.set_nodelay(true);
            thread::spawn(move || {
                let gate = if way == 0 {
                    &shared.requests
                } else {
                    &shared.answers
                };
                let mut piece = vec![0; 1 << 16];
                while let Ok(length @ 1..) = from.read(&mut piece) {
                    gate.pass();
                    shared.wait_while_frozen(number);
                    if to.write_all(&piece[..length]).is_err() {
                        break;
                    }
                }
                shared.wait_while_frozen(number);
                let _ = to.shutdown(Shutdown::Both);
                let _ = from.shutdown(Shutdown::Both);
            });
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.requests().open();
        self.answers().open();
        self.cut();
        let address = ([127, 0, 0, 1], self.port).into();
        let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
    }
}
