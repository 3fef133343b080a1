//! The promises of each engine, against real servers. An engine is one line here, and its service in
//! `engines`.

use std::time::Duration;

use lockutils_harness::coordination_conformance;
use lockutils_harness::testing::coordination::Oslo;

use crate::engines;

/// A lease as a URL states it.
fn seconds(lease: Duration) -> String {
    lease.as_secs_f64().to_string()
}

coordination_conformance!(redis, Oslo, |lease| engines::redis(&seconds(lease)));
coordination_conformance!(etcd, Oslo, |lease| engines::etcd(&seconds(lease)));
// A lock ends with the connection that keeps it.
coordination_conformance!(
    postgres,
    Oslo,
    |lease| engines::postgres(&seconds(lease)),
    not_promised: [restart, reset, late_renewal]
);
// Names are paths. A holder relies on two thirds of its session's time.
coordination_conformance!(
    zookeeper,
    Oslo,
    |lease: Duration| engines::zookeeper(&seconds(lease * 3 / 2)),
    not_promised: [names]
);
// A directory has no server, no lease, and names that a file can have.
coordination_conformance!(
    file,
    Oslo,
    |_| engines::file(),
    not_promised: [
        restart,
        silence,
        cut_off,
        deleted,
        stopped_holder,
        stale_release,
        reset,
        late_renewal,
        request_in_flight,
        answer_in_flight,
        lost_answer,
        lost_release,
        outage,
        names
    ]
);
