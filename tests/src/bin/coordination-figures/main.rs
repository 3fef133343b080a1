//! Measures `oslo-coordination` against its peers on the same servers, in the same run:
//! `cargo run --release -p lockutils-tests --bin coordination-figures`; an argument names one
//! engine. It installs and starts the servers, and takes about five minutes.

mod hand_over;
mod many;
#[path = "../../../../oslo-concurrency/benches/ratios/measure.rs"]
mod measure;
mod peers;
mod uncontended;

use anyhow::{Result, bail};
use lockutils_tests::servers::Server;

use peers::Peer;

/// An engine with a server of its own, which writes nothing to the disk where that can be turned
/// off: its time is no part of ours.
struct Engine {
    name: &'static str,
    server: Server,
    url: String,
    connect: fn(u16) -> Result<Box<dyn Peer>>,
    /// The highest ratio of our time to the peer's.
    bound: f64,
}

fn redis() -> Engine {
    let server = Server::redis(&["--appendonly", "no"]);
    Engine {
        name: "Redis",
        url: url("redis", &server, ""),
        server,
        connect: peers::redis,
        bound: 1.15,
    }
}

fn etcd() -> Engine {
    let server = Server::etcd(&["--unsafe-no-fsync"]);
    Engine {
        name: "etcd",
        url: url("etcd3+http", &server, ""),
        server,
        connect: peers::etcd,
        bound: 1.2,
    }
}

fn postgres() -> Engine {
    let server = Server::postgres(&[]);
    Engine {
        name: "PostgreSQL",
        url: url("postgresql", &server, "/postgres").replace("://", "://lockutils@"),
        server,
        connect: peers::postgres,
        bound: 2.0,
    }
}

/// The URL for Rust and for tooz.
fn url(scheme: &str, server: &Server, path: &str) -> String {
    let port = server.port();
    format!("{scheme}://127.0.0.1:{port}{path}?lock_timeout=10")
}

fn start(name: &str) -> Result<Engine> {
    Ok(match name {
        "redis" => redis(),
        "etcd" => etcd(),
        "postgres" => postgres(),
        _ => bail!("there is no engine {name}; there are redis, etcd and postgres"),
    })
}

fn main() -> Result<()> {
    let only = std::env::args().nth(1);
    let names = match &only {
        Some(name) => vec![name.as_str()],
        None => vec!["redis", "etcd", "postgres"],
    };
    for name in names {
        let engine = start(name)?;
        measure::title(engine.name);
        uncontended::print(&engine)?;
        hand_over::print(&engine)?;
        many::print(&engine)?;
    }
    Ok(())
}
