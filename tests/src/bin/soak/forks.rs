//! Children that are forked while other threads are in the middle of any operation, and that lock
//! for themselves.

use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use oslo_concurrency::lockutils::{self, Error};

use crate::nest;
use crate::random::Random;
use crate::round::{CALLS, NAMES, Round, fail};

const STUCK: Duration = Duration::from_secs(5);

pub fn thread(round: &Round, slot: usize) {
    let mut random = Random::new(round.seed, slot as u64);
    let mut calls = 0;
    while !round.board.stops() && calls < CALLS {
        match slot % 4 {
            0 => {
                calls += 1;
                forks_a_child(round, &mut random);
                round.board.goes_on(slot);
            }
            1 => {
                configures(round, &mut random);
                round.board.goes_on(slot);
            }
            _ => nest::nested(round, slot, &mut random, &mut Vec::new(), &mut calls),
        }
    }
}

pub fn configures(round: &Round, random: &mut Random) {
    if random.once_in(2) {
        lockutils::set_defaults(round.real());
    } else {
        let _ = lockutils::get_lock_path();
    }
}

pub fn forks_a_child(round: &Round, random: &mut Random) {
    let choice = random.below(4);
    let name = NAMES[random.below(3) as usize];
    // SAFETY: the calls of the child are the subject of the test; it ends by _exit.
    match unsafe { fork() } {
        Ok(ForkResult::Parent { child }) => waits_for(child),
        Ok(ForkResult::Child) => {
            let status = i32::from(!locks(round, choice, name));
            // SAFETY: ends the child.
            unsafe { libc::_exit(status) }
        }
        Err(_) => {}
    }
}

/// Runs in the child, whose parent may hold any lock.
fn locks(round: &Round, choice: u64, name: &str) -> bool {
    let lock = lockutils::lock(name);
    match choice {
        0 => {
            lockutils::set_defaults(round.real());
            true
        }
        1 => lockutils::get_lock_path().is_none_or(|path| path == round.real()),
        // The locks between threads are the child's own, and free.
        2 => lock.run(|| ()).is_ok(),
        _ => {
            let directory = round.real();
            let lock = lock.external(true).lock_path(&directory);
            let answer = lock.timeout(Duration::from_millis(20)).run(|| ());
            matches!(answer, Ok(()) | Err(Error::Timeout { .. }))
        }
    }
}

fn waits_for(child: Pid) {
    let until = Instant::now() + STUCK;
    loop {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) if Instant::now() < until => {
                std::thread::sleep(Duration::from_micros(50));
            }
            Ok(WaitStatus::StillAlive) => {
                let stack = lockutils_harness::testing::stress::stack_of(child.as_raw());
                let _ = kill(child, Signal::SIGKILL);
                fail(&format!(
                    "hang: a forked child did not come back from its lock{stack}"
                ));
            }
            Err(nix::errno::Errno::EINTR) => {}
            Ok(WaitStatus::Exited(_, 0)) => return,
            other => fail(&format!("wrong answer in a forked child: {other:?}")),
        }
    }
}
