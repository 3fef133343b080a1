//! Connections for administrative commands.

mod base64;
mod etcd;
mod mariadb;
mod memcached;
mod postgres;
mod resp;
mod rows;
mod stream;
mod zookeeper;

use std::io;

pub use rows::Rows;
use stream::stream;

use super::engine::Protocol;

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
