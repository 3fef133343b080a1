//! Measures `oslo-coordination` against its peers on the same servers, in the same run:
//! `cargo run --release -p lockutils-tests --bin coordination-figures`; an argument names one
//! engine. It installs and starts the servers, and takes about five minutes.

mod hand_over;
mod many;
#[path = "../../../../oslo-concurrency/benches/ratios/measure.rs"]
mod measure;
mod peers;
mod uncontended;

use anyhow::Result;
use lockutils_tests::servers::Server;

use peers::Peer;

/// An engine with a server of its own.
struct Engine {
    name: &'static str,
    server: Server,
    /// The URL for Rust, and for tooz.
    urls: [String; 2],
    connect: fn(u16) -> Result<Box<dyn Peer>>,
    /// How much dearer ours may be than the peer.
    bound: f64,
}

/// An engine, started. The servers write nothing to the disk where that can be turned off: its time
/// is no part of ours.
fn engine(name: &str) -> Engine {
    let lease = "lock_timeout=10";
    match name {
        "redis" => {
            let server = Server::redis(&["--appendonly", "no"]);
            let url = format!("redis://127.0.0.1:{}?{lease}", server.port());
            Engine {
                name: "Redis",
                server,
                urls: [url.clone(), url],
                connect: peers::redis,
                bound: 1.15,
            }
        }
        "etcd" => {
            let server = Server::etcd(&["--unsafe-no-fsync"]);
            let url = format!("etcd3+http://127.0.0.1:{}?{lease}", server.port());
            Engine {
                name: "etcd",
                server,
                urls: [url.clone(), url],
                connect: peers::etcd,
                bound: 1.2,
            }
        }
        _ => {
            let server = Server::postgres(&[]);
            let url = format!(
                "postgresql://lockutils@127.0.0.1:{}/postgres",
                server.port()
            );
            Engine {
                name: "PostgreSQL",
                server,
                urls: [format!("{url}?{lease}"), url],
                connect: peers::postgres,
                bound: 2.0,
            }
        }
    }
}

fn main() -> Result<()> {
    let only = std::env::args().nth(1);
    let names = ["redis", "etcd", "postgres"];
    for name in names
        .into_iter()
        .filter(|name| only.as_deref().is_none_or(|only| only == *name))
    {
        let engine = engine(name);
        measure::title(engine.name);
        uncontended::print(&engine)?;
        hand_over::print(&engine)?;
        many::print(&engine)?;
    }
    Ok(())
}
