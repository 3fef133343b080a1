//! A kernel that cannot lock, as that of some file systems and sandboxes.

use std::sync::Once;

use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter,
};

use super::{Answer, Lock, Make, Patience, failures, stress, unsupported};
use crate::verdict::Verdict;

/// Every flock(2) and every lock by fcntl(2) fails with ENOLCK; acquire must say so, at once.
pub(super) fn refusal<L: Lock>(make: Make<'_, L>) -> Verdict {
    let report = stress().processes(2).sections(5).run(|worker| {
        // Once for each process: the worker has one thread.
        static REFUSED: Once = Once::new();
        REFUSED.call_once(|| {
            refuse_locks().unwrap_or_else(|error| panic!("no seccomp filter: {error}"));
        });
        let mut section = || worker.section(super::linger);
        match make().run(Patience::Forever, &mut section) {
            Ok(Answer::Ran) | Err(_) => {}
            Ok(other) => panic!("a lock that the kernel refuses was answered with {other:?}"),
        }
    });
    let verdict = report.verdict();
    if verdict.is_violated() {
        return verdict;
    }
    match failures(&report) {
        Some(failure) => Verdict::Violated(failure),
        None if report.sections() > 0 => unsupported("the lock asks neither flock(2) nor fcntl(2)"),
        None => Verdict::Held,
    }
}

/// From now on, for this process.
fn refuse_locks() -> Result<(), Error> {
    let commands = [
        libc::F_SETLK,
        libc::F_SETLKW,
        libc::F_OFD_SETLK,
        libc::F_OFD_SETLKW,
    ];
    let fcntl: Result<Vec<SeccompRule>, _> = commands.into_iter().map(is_command).collect();
    let filter = SeccompFilter::new(
        [(libc::SYS_fcntl, fcntl?), (libc::SYS_flock, Vec::new())].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOLCK.cast_unsigned()),
        std::env::consts::ARCH.try_into()?,
    )?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter(&program)
}

fn is_command(command: i32) -> Result<SeccompRule, seccompiler::BackendError> {
    let condition = SeccompCondition::new(
        1,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::Eq,
        u64::from(command.cast_unsigned()),
    )?;
    SeccompRule::new(vec![condition])
}
