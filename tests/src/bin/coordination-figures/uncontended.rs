//! One acquire and release that nobody contends for.

use anyhow::Result;
use lockutils_tests::tooz;
use oslo_coordination::Coordinator;

use crate::Engine;
use crate::measure::{in_turns, nanoseconds_each, row};

const ROUNDS: usize = 20;
const PAIRS: u32 = 200;

pub fn print(engine: &Engine) -> Result<()> {
    let mut peer = (engine.connect)(engine.server.port())?;
    let coordinator = Coordinator::connect(&engine.url)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut blocking = || {
        drop(
            coordinator
                .lock("ours")
                .acquire()
                .map(|guard| guard.release()),
        )
    };
    let mut asynchronous = || {
        runtime.block_on(async {
            let guard = coordinator.lock("ours").acquire_async().await;
            guard.expect("the lock").release().await.expect("in time");
        });
    };
    let name = peer.name();
    let ours: [(&str, &mut dyn FnMut()); 2] = [
        ("acquire", &mut blocking),
        ("acquire_async", &mut asynchronous),
    ];
    for (call, ours) in ours {
        let figures = in_turns(
            ROUNDS,
            || micros_each(|| peer.pair().expect("a pair")),
            || micros_each(&mut *ours),
        );
        let bound = format!("at most {}", engine.bound);
        row(&format!("{call} to {name}"), "µs", &figures, &bound);
    }
    let mut tooz = tooz::worker(&engine.url);
    let figures = in_turns(
        6,
        || {
            let answer = tooz.ask(&format!("pairs theirs {PAIRS}"));
            answer.parse::<f64>().expect("nanoseconds") / 1e3
        },
        || micros_each(&mut blocking),
    );
    row("acquire to tooz 9.1", "µs", &figures, "at most 0.2");
    Ok(())
}

fn micros_each(call: impl FnMut()) -> f64 {
    nanoseconds_each(PAIRS, call) / 1e3
}
