//! A socket of a stopped task, through a descriptor of our own that is closed at once: the server
//! must notice when the worker closes its own.

use std::io;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockType, SockaddrLike, SockaddrStorage, getpeername, getsockname,
    getsockopt, recv, sockopt,
};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::procfs::Status;

/// A copy of a socket of a worker.
#[derive(Debug)]
pub struct Socket(OwnedFd);

/// The other side of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    Tcp(SocketAddr),
    /// The name of a Unix socket, and the process that listens on it.
    Unix(PathBuf, Pid),
}

/// The offset of `tcpi_bytes_received` in `struct tcp_info` (linux/tcp.h, since 4.1).
const BYTES_RECEIVED: usize = 128;

impl Socket {
    /// The socket behind a descriptor of a stopped task (pidfd_getfd(2), Linux 5.6).
    pub fn of(tid: Pid, fd: i32) -> io::Result<Self> {
        let process = Status::of(tid).ok_or(io::ErrorKind::NotFound)?.process;
        let process = rustix::process::Pid::from_raw(process.as_raw());
        let process = process.ok_or(io::ErrorKind::NotFound)?;
        let process = pidfd_open(process, PidfdFlags::empty())?;
        Ok(Socket(pidfd_getfd(process, fd, PidfdGetfdFlags::empty())?))
    }

    /// The other side, if this is a connected stream socket with a named other side.
    pub fn peer(&self) -> Option<Peer> {
        if getsockopt(&self.0, sockopt::SockType).ok()? != SockType::Stream {
            return None;
        }
        let peer: SockaddrStorage = getpeername(self.0.as_raw_fd()).ok()?;
        match peer.family()? {
            AddressFamily::Unix => {
                let address = peer.as_unix_addr()?;
                let name = address
                    .as_abstract()
                    .map(|name| PathBuf::from(String::from_utf8_lossy(name).into_owned()));
                let name = address.path().map(PathBuf::from).or(name)?;
                let listener = getsockopt(&self.0, sockopt::PeerCredentials).ok()?;
                Some(Peer::Unix(name, Pid::from_raw(listener.pid())))
            }
            _ => address(&peer).map(Peer::Tcp),
        }
    }

    /// The port of its own side; `None` for a Unix socket.
    pub fn port(&self) -> Option<u16> {
        let own: SockaddrStorage = getsockname(self.0.as_raw_fd()).ok()?;
        address(&own).map(|address| address.port())
    }

    /// A number that grows with each byte that arrives; on a Unix socket, the number of bytes that
    /// were not read yet.
    pub fn received(&self) -> u64 {
        let mut info = [0_u8; 256];
        let mut length = info.len() as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes to `info`, and the length to `length`;
        // both are valid until the call returns.
        let result = unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                info.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let bytes = info[BYTES_RECEIVED..]
            .first_chunk()
            .copied()
            .unwrap_or_default();
        match result == 0 && length as usize >= BYTES_RECEIVED + size_of::<u64>() {
            true => u64::from_ne_bytes(bytes),
            false => self.unread(),
        }
    }

    /// Number of bytes that have arrived and were not read.
    pub fn unread(&self) -> u64 {
        rustix::io::ioctl_fionread(&self.0).unwrap_or(0)
    }

    /// Waits until something can be read, or the time has passed. Returns `true` if the other side
    /// has closed the connection.
    pub fn wait(&self, time: Duration) -> bool {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let time = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
        let _ = poll(&mut fds, time);
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        match recv(self.0.as_raw_fd(), &mut [0], flags) {
            Ok(length) => length == 0,
            Err(error) => error != Errno::EAGAIN,
        }
    }

    /// What has arrived and was not read, which stays there.
    pub fn peek(&self) -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        let length = recv(self.0.as_raw_fd(), &mut bytes, flags).unwrap_or(0);
        bytes.truncate(length);
        bytes
    }
}

fn address(of: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(&v4) = of.as_sockaddr_in() {
        return Some(SocketAddrV4::from(v4).into());
    }
    let &v6 = of.as_sockaddr_in6()?;
    let v6 = SocketAddrV6::from(v6);
    // An IPv4 address may be written as one of IPv6.
    Some(SocketAddr::new(v6.ip().to_canonical(), v6.port()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    fn of(fd: &impl AsRawFd) -> Socket {
        Socket::of(Pid::this(), fd.as_raw_fd()).unwrap()
    }

    #[test]
    fn a_connection_shows_its_peer_and_what_arrives() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let socket = of(&client);
        assert_eq!(
            socket.peer(),
            Some(Peer::Tcp(listener.local_addr().unwrap()))
        );
        assert_eq!(socket.port(), Some(client.local_addr().unwrap().port()));
        let before = socket.received();
        server.write_all(b"+OK\r\n").unwrap();
        assert!(!socket.wait(Duration::from_secs(10)));
        assert_eq!((socket.received() - before, socket.unread()), (5, 5));
        assert_eq!(socket.peek(), b"+OK\r\n");
        client.read_exact(&mut [0; 5]).unwrap();
        assert_eq!((socket.received() - before, socket.unread()), (5, 0));
        drop(server);
        assert!(socket.wait(Duration::from_secs(10)));
        assert_eq!(of(&listener).peer(), None);
    }

    #[test]
    fn a_socket_without_a_name_leads_to_no_server() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert_eq!(of(&one).peer(), None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        let client = UnixStream::connect(&path).unwrap();
        assert_eq!(of(&client).peer(), Some(Peer::Unix(path, Pid::this())));
    }
}
