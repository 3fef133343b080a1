//! Connections for administrative commands.

mod base64;
mod etcd;
mod mariadb;
mod memcached;
mod postgres;
mod resp;
mod rows;
mod zookeeper;

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

pub use rows::Rows;

use super::engine::Protocol;

/// Time limit of a command.
const LIMIT: Duration = Duration::from_secs(10);

/// A connection for administrative commands.
#[derive(Debug)]
pub enum Admin {
    Resp(resp::Connection),
    Memcached(memcached::Connection),
    Postgres(postgres::Connection),
    Etcd(etcd::Connection),
    Mariadb(mariadb::Connection),
    Zookeeper(zookeeper::Connection),
}

impl Admin {
    /// Connects to a server.
    pub fn connect(protocol: Protocol, address: &str) -> io::Result<Self> {
        let stream = stream(address)?;
        Ok(match protocol {
            Protocol::Resp => Admin::Resp(resp::Connection::new(stream)),
            Protocol::Memcached => Admin::Memcached(memcached::Connection::new(stream)),
            Protocol::Postgres => Admin::Postgres(postgres::Connection::new(stream)?),
            Protocol::Etcd => Admin::Etcd(etcd::Connection::new(stream)),
            Protocol::Mariadb => Admin::Mariadb(mariadb::Connection::new(stream)?),
            Protocol::Zookeeper => Admin::Zookeeper(zookeeper::Connection::new(stream)?),
        })
    }

    /// Runs a command.
    ///
    /// # Errors
    /// Returns an error if the connection fails or the server refuses the command.
    pub fn run(&mut self, words: &[String]) -> io::Result<Rows> {
        match self {
            Admin::Resp(connection) => connection.run(words),
            Admin::Memcached(connection) => connection.run(words),
            Admin::Postgres(connection) => connection.run(words),
            Admin::Etcd(connection) => connection.run(words),
            Admin::Mariadb(connection) => connection.run(words),
            Admin::Zookeeper(connection) => connection.run(words),
        }
    }
}

fn stream(address: &str) -> io::Result<TcpStream> {
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
