//! By a seccomp filter.

use std::sync::Once;
use std::time::Duration;

use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter,
};

use super::super::super::load::Load;
use super::super::support::{Make, linger_for};
use crate::testing::finding::{Finding, Unknown};
use crate::testing::lock::{Lock, WaitLimit};

/// Duration of a section. A lock that is not refused has a few of them, and those of a lock that goes
/// on without being locked must overlap even where both processes share one processor.
const SECTION: Duration = Duration::from_millis(50);

/// Every lock by flock(2) or fcntl(2) fails with ENOLCK, and acquire must fail at once.
pub(crate) fn refusal<L: Lock>(make: Make<'_, L>) -> Finding {
    // Installed in the worker process, before the lock is created: processes that it starts are
    // refused as well.
    let make = &|| {
        static REFUSED: Once = Once::new();
        REFUSED.call_once(|| {
            refuse_locks()
                .unwrap_or_else(|error| panic!("cannot install a seccomp filter: {error}"));
        });
        make()
    };
    let load = Load {
        final_try: false,
        ..Load::processes(2).attempts(5)
    };
    let verdict = load.run(make, &|participant| {
        while !participant.is_over() {
            let mut section = || participant.worker.section(|| linger_for(SECTION));
            // An error is the expected answer.
            let _ = participant.try_attempt(WaitLimit::Forever, &mut section);
        }
    });
    match verdict {
        Finding::NotKnown(Unknown::NothingRan) => Finding::Held,
        Finding::Held => Finding::unsupported("the lock uses neither flock(2) nor fcntl(2)"),
        other => other,
    }
}

/// Makes locks of this process fail from now on.
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
