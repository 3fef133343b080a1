//! Python processes with tooz.

use crate::conversation::Conversation;
use crate::python;

/// A process that acquires locks of this URL on command (`tests/python/tooz_worker.py`).
pub fn worker(url: &str) -> Conversation {
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
