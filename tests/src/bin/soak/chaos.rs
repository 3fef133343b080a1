//! Everything at once, in several processes: threads beside tasks, children, signals, leases,
//! removals, and Python.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use oslo_concurrency::lockutils::{self, Error};
use tokio::time::timeout;

use crate::random::{Random, spin};
use crate::round::{CALLS, NAMES, Round, fail};
use crate::{forks, nest};

pub fn thread(round: &Round, slot: usize) {
    let mut random = Random::new(round.seed, slot as u64);
    let tasks = slot.is_multiple_of(round.threads);
    if slot % round.threads == 1 && random.once_in(2) {
        signals();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap_or_else(|error| fail(&format!("no runtime: {error}")));
    let mut calls = 0;
    while !round.board.stops() && calls < CALLS {
        match random.below(60) {
            0 => forks::forks_a_child(round, &mut random),
            1 | 2 => forks::configures(round, &mut random),
            3 if round.python.is_none() => removes(round, &mut random),
            4..=30 if tasks => runtime.block_on(some_tasks(round, slot, &mut random)),
            _ => nest::nested(round, slot, &mut random, &mut Vec::new(), &mut calls),
        }
        calls += 1;
        round.board.goes_on(slot);
    }
}

fn removes(round: &Round, random: &mut Random) {
    let name = NAMES[random.below(3) as usize];
    if let Err(error) = lockutils::remove_external_lock_file(name, Some(&round.real())) {
        fail(&format!("wrong answer: {error}"));
    }
}

/// Several tasks of one thread on one lock, some of them cancelled.
async fn some_tasks(round: &Round, slot: usize, random: &mut Random) {
    let directory = round.real();
    let chosen = random.below(3) as usize;
    let lock = lockutils::lock(NAMES[chosen])
        .external(true)
        .lock_path(&directory);
    let process = slot / round.threads;
    let task = |limit: u64, hold: u64| async move {
        let acquire = lock.acquire_async();
        match timeout(Duration::from_micros(limit), acquire).await {
            Ok(Ok(guard)) => {
                let internal = round.internal_witness(process, chosen).enter(slot as u32);
                let file = round.file_witness(chosen).enter(slot as u32);
                spin(hold);
                drop((internal, file));
                tokio::task::yield_now().await;
                drop(guard);
            }
            Ok(Err(Error::WouldDeadlock { .. })) | Err(_) => {}
            Ok(Err(error)) => fail(&format!("wrong answer to a task: {error}")),
        }
    };
    let mut draw = || (random.below(400), random.below(10));
    let (one, two, three) = (draw(), draw(), draw());
    tokio::join!(
        task(one.0, one.1),
        task(two.0, two.1),
        task(three.0, three.1)
    );
}

/// Signals interrupt the threads of this process every 300 µs.
fn signals() {
    extern "C" fn nothing(_: i32) {}
    let action = SigAction::new(
        SigHandler::Handler(nothing),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: the handler does nothing.
    if unsafe { sigaction(Signal::SIGALRM, &action) }.is_err() {
        return;
    }
    let time = libc::timeval {
        tv_sec: 0,
        tv_usec: 300,
    };
    let timer = libc::itimerval {
        it_interval: time,
        it_value: time,
    };
    // SAFETY: the timer is only read, and no old value is requested.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
}

/// A process that holds leases on the lock files now and then, for less time than the kernel
/// permits.
pub fn leases(round: &Round) {
    // SAFETY: SIGIO reports that another process opens the file; the lease ends soon in any case.
    let _ = unsafe { nix::sys::signal::signal(Signal::SIGIO, SigHandler::SigIgn) };
    let mut random = Random::new(round.seed, 2000);
    while !round.board.stops() {
        let name = NAMES[random.below(3) as usize];
        if let Ok(file) = File::open(round.real().join(name)) {
            // SAFETY: fcntl(2) on our own descriptor; closing it ends the lease.
            unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK) };
            std::thread::sleep(Duration::from_micros(random.below(2_000)));
        }
        std::thread::sleep(Duration::from_micros(500 + random.below(3_000)));
    }
}

/// A process of Python's oslo.concurrency that uses the same locks.
pub fn python(round: &Round, interpreter: &Path) {
    const SCRIPT: &str = "
import sys, time
from oslo_concurrency import lockutils
end = time.monotonic() + 0.5
while time.monotonic() < end:
    for name in 'xyz':
        with lockutils.lock(name, external=True, lock_path=sys.argv[1], delay=0.001):
            pass
";
    let status = Command::new(interpreter)
        .args(["-c", SCRIPT])
        .arg(round.real())
        .status();
    if !status.is_ok_and(|status| status.success()) {
        fail("Python's process failed");
    }
}
