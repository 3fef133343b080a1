//! `processutils` on real processes.
//!
//! Linux only, since they look into /proc; `tests/commands.rs` has what holds everywhere.
#![cfg(target_os = "linux")]

mod arguments;
mod callbacks;
mod inheritance;
mod limits;
mod logs;
mod output;
mod retries;
mod sigchld;
mod timeouts;
mod worker_count;

use std::time::{Duration, Instant};

/// Polls until `event` returns a value.
fn until<T>(what: &str, mut event: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = event() {
            return value;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "waited in vain: {what}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Returns `true` if a process is neither gone nor a zombie.
fn lives(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.contains(") Z ") && !stat.contains(") X "))
}

/// Runs one test of this program again, in a process of its own with `variable` set.
fn again_elsewhere(test: &str, variable: &str) -> std::process::Command {
    let program = std::env::current_exe().expect("our own path");
    let mut command = std::process::Command::new(program);
    command
        .args(["--exact", test, "--nocapture"])
        .env(variable, "1");
    command
}

/// Runs `trial`, which changes the whole process, in one of its own.
fn alone(test: &str, trial: impl FnOnce()) {
    const ALONE: &str = "TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        trial();
    } else {
        let output = again_elsewhere(test, ALONE)
            .output()
            .expect("our own program");
        assert!(output.status.success(), "{output:?}");
    }
}

/// Makes poll(2) fail with EINVAL, or work again. Until then no file can be opened either.
fn let_poll_fail(fail: bool) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit");
    let soft = if fail { 0 } else { hard };
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("a limit within the hard one");
}
