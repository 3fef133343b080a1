//! Locks of `oslo-coordination` against real servers on loopback.

mod conformance;
mod engines;
mod outage;
mod postgres;
mod promises;
mod security;
mod with_tooz;
mod zookeeper;

use std::process::Command;

use lockutils_tests::conversation::Conversation;
use lockutils_tests::python;

/// A Rust process that acquires locks on command.
fn rust(url: &str) -> Conversation {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coordination-worker"));
    command.arg(url);
    Conversation::start(command)
}

/// A Python process that does the same with tooz.
fn tooz(url: &str) -> Conversation {
    let packages = [
        "tooz==9.1.0",
        "redis==8.1.0",
        "etcd3gw==2.7.0",
        "psycopg2-binary==2.9.13",
        "kazoo==2.11.0",
    ];
    let mut command = python::script_with(&packages, "tooz_worker.py");
    command.arg(url);
    Conversation::start(command)
}
