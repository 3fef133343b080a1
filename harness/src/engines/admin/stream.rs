//! Connections with a time limit.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Time limit of a command.
const LIMIT: Duration = Duration::from_secs(10);

/// A connection to this address.
pub fn stream(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, LIMIT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(LIMIT))?;
                stream.set_write_timeout(Some(LIMIT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
