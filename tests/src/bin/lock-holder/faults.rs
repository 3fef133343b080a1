//! Faults of the process: limits, refused locks, signals.

use std::sync::atomic::{AtomicU64, Ordering};

use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

/// The user id `nobody`, as on every Linux system.
const NOBODY: u32 = 65_534;

pub fn obey(command: &str, words: &[&str]) -> Option<String> {
    match command {
        "limit-files" => {
            let limit = words[0].parse().expect("a number");
            setrlimit(Resource::RLIMIT_NOFILE, limit, limit).expect("a lower limit");
        }
        "refuse-locks" => refuse_locks(match words[0] {
            "ENOLCK" => libc::ENOLCK,
            "EINVAL" => libc::EINVAL,
            other => return Some(format!("error: {other} is not one of ENOLCK, EINVAL")),
        }),
        "become-nobody" => {
            setgroups(&[]).expect("root");
            setgid(Gid::from_raw(NOBODY)).expect("root");
            setuid(Uid::from_raw(NOBODY)).expect("root");
        }
        "signals" => return Some(count_signals()),
        _ => return None,
    }
    Some("done".into())
}

/// Makes every lock by fcntl(2) fail from now on, as on a file system that cannot lock (ENOLCK), or
/// in a sandbox whose kernel does not have these locks (EINVAL).
fn refuse_locks(error: i32) {
    use seccompiler::{
        SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    };
    let refused = [libc::F_OFD_SETLK, libc::F_OFD_SETLKW].map(|command| {
        let is_command = SeccompCondition::new(
            1,
            SeccompCmpArgLen::Dword,
            SeccompCmpOp::Eq,
            u64::from(command.cast_unsigned()),
        );
        SeccompRule::new(vec![is_command.expect("a condition")]).expect("a rule")
    });
    let filter = SeccompFilter::new(
        [(libc::SYS_fcntl, refused.to_vec())].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(error.cast_unsigned()),
        std::env::consts::ARCH.try_into().expect("an architecture"),
    );
    let program: seccompiler::BpfProgram = filter.expect("a filter").try_into().expect("a program");
    seccompiler::apply_filter(&program).expect("the filter is taken");
}

static SIGNALS: AtomicU64 = AtomicU64::new(0);

extern "C" fn on_signal(_: i32) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

/// Handles SIGUSR1 without SA_RESTART, so that it interrupts system calls; answers the number of
/// signals so far.
fn count_signals() -> String {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    let action = SigAction::new(
        SigHandler::Handler(on_signal),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: the handler only adds to an atomic.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.expect("a handler");
    SIGNALS.load(Ordering::Relaxed).to_string()
}
