//! Calls that wait for time to pass, with or without other events that end the wait.

use std::time::Duration;

use nix::libc;
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::time::ClockId;
use nix::unistd::Pid;

use super::super::entry::Entry;
use super::memory;
use super::table::{Blocking, Limit, SystemCall};

/// The way in which a task waits for time to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For time alone. The call may be skipped; it then returns `result`.
    Sleep { result: i64 },
    /// For descriptors as well, up to this limit.
    Poll { limit: Limit },
    /// For another thread of its process as well, while the word at this address has this value.
    Futex { address: u64, value: u32 },
}

impl Wait {
    /// Returns `true` if the thread that it would wait for has already acted.
    pub fn is_over(self, tid: Pid) -> bool {
        matches!(self, Wait::Futex { address, value }
            if memory::word(tid, address).is_some_and(|now| now != value))
    }
}

/// The arguments of futex(2).
const ADDRESS: usize = 0;
const OPERATION: usize = 1;
const VALUE: usize = 2;
const TIME: usize = 3;

/// The wait that this call would begin, if it waits for time to pass.
pub fn wait(tid: Pid, call: &SystemCall, entry: &Entry) -> Option<Wait> {
    const SLEEP: Option<Wait> = Some(Wait::Sleep { result: 0 });
    match call.blocking {
        Blocking::Sleep { .. } => SLEEP,
        Blocking::Descriptors { count, limit } => {
            let none = count.is_some_and(|count| entry.arguments[count] == 0);
            match limit {
                Limit::Pointer(time) | Limit::PointerInPoll(time) if none => {
                    SLEEP.filter(|_| entry.arguments[time] != 0)
                }
                Limit::Pointer(_) => None,
                Limit::PointerInPoll(time) => {
                    let time = memory::time(tid, entry.arguments[time]);
                    let waits = time.is_some_and(|time| time > TimeSpec::new(0, 0));
                    waits.then_some(Wait::Poll { limit })
                }
                Limit::Milliseconds(time) => match entry.int(time) {
                    0.. if none => SLEEP,
                    1.. => Some(Wait::Poll { limit }),
                    _ => None,
                },
            }
        }
        Blocking::Futex if entry.int(OPERATION) & libc::FUTEX_PRIVATE_FLAG == 0 => None,
        // No other thread exists that could wake it.
        Blocking::Futex if memory::is_alone(tid) => Some(Wait::Sleep {
            result: -i64::from(libc::ETIMEDOUT),
        }),
        Blocking::Futex => Some(Wait::Futex {
            address: entry.arguments[ADDRESS],
            value: entry.arguments[VALUE] as u32,
        }),
        Blocking::Never | Blocking::LockUnless { .. } | Blocking::LockIf { .. } => None,
    }
}

/// The time limit of a wait, which other events may end earlier.
pub fn limit(tid: Pid, entry: &Entry, wait: Wait) -> Duration {
    match wait {
        Wait::Sleep { .. } => Duration::ZERO,
        Wait::Poll {
            limit: Limit::Milliseconds(time),
        } => Duration::from_millis(u64::from(entry.int(time) as u32)),
        Wait::Poll {
            limit: Limit::Pointer(time) | Limit::PointerInPoll(time),
        } => milliseconds(time_left(tid, entry.arguments[time], None)),
        Wait::Futex { .. } => {
            let operation = entry.int(OPERATION);
            let is_realtime = operation & libc::FUTEX_CLOCK_REALTIME != 0;
            let command = operation & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
            let until = match is_realtime {
                true => ClockId::CLOCK_REALTIME,
                false => ClockId::CLOCK_MONOTONIC,
            };
            let until = (command != libc::FUTEX_WAIT).then_some(until);
            milliseconds(time_left(tid, entry.arguments[TIME], until))
        }
    }
}

fn milliseconds(time: Option<TimeSpec>) -> Duration {
    let time = time.map(|time| time.num_milliseconds());
    Duration::from_millis(time.and_then(|time| time.try_into().ok()).unwrap_or(0))
}

/// The longest sleep of a runtime's own thread: Go's `sysmon` sleeps between 20 us and 10 ms
/// (`runtime/proc.go`).
const HELPER_NAP: TimeSpec = TimeSpec::new(0, 10_000_000);

/// Returns `true` if the call is the short sleep of a thread that another thread has started.
pub fn is_helper_nap(tid: Pid, call: &SystemCall, entry: &Entry) -> bool {
    let Blocking::Sleep { time, clock } = call.blocking else {
        return false;
    };
    let until = clock
        .filter(|(_, flags)| entry.int(*flags) & libc::TIMER_ABSTIME != 0)
        .map(|(clock, _)| ClockId::from_raw(entry.int(clock)));
    let left = time_left(tid, entry.arguments[time], until);
    left.is_some_and(|left| left <= HELPER_NAP) && !memory::is_first(tid)
}

/// The time at this address, or, with a clock, the time left until then.
fn time_left(tid: Pid, address: u64, until: Option<ClockId>) -> Option<TimeSpec> {
    let time = memory::time(tid, address)?;
    match until {
        None => Some(time),
        Some(clock) => Some(time - clock.now().ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::arch::LEGACY;
    use super::*;

    fn waits(number: libc::c_long, arguments: [u64; 6]) -> Option<Wait> {
        let entry = Entry {
            number: number.cast_unsigned(),
            arguments,
        };
        let call = SystemCall::find(entry.number).unwrap();
        wait(Pid::this(), call, &entry)
    }

    #[test]
    fn a_wait_for_no_descriptor_is_a_sleep() {
        const FOREVER: u64 = u64::MAX;
        let sleep = Some(Wait::Sleep { result: 0 });
        assert_eq!(waits(libc::SYS_nanosleep, [8, 0, 0, 0, 0, 0]), sleep);
        assert_eq!(waits(libc::SYS_ppoll, [0, 0, 8, 0, 0, 0]), sleep);
        assert_eq!(waits(libc::SYS_ppoll, [0, 0, 0, 0, 0, 0]), None);
        assert_eq!(waits(libc::SYS_ppoll, [8, 1, 8, 0, 0, 0]), None);
        assert_eq!(waits(libc::SYS_pselect6, [0, 0, 0, 0, 8, 0]), sleep);
        let epoll = |limit| waits(libc::SYS_epoll_pwait, [3, 8, 1, limit, 0, 0]);
        let limit = Limit::Milliseconds(3);
        assert_eq!(epoll(5), Some(Wait::Poll { limit }));
        assert_eq!((epoll(0), epoll(FOREVER)), (None, None));
    }

    #[test]
    fn a_wait_for_descriptors_with_a_limit_is_polled() {
        let poll = |count, milliseconds: i32| match LEGACY.poll {
            Some(number) => waits(number, [8, count, milliseconds as u64, 0, 0, 0]),
            None => {
                let time = TimeSpec::milliseconds(milliseconds.into());
                let time = (milliseconds >= 0).then_some(time);
                let address = time
                    .as_ref()
                    .map_or(0, |time| std::ptr::from_ref(time) as u64);
                waits(libc::SYS_ppoll, [8, count, address, 0, 0, 0])
            }
        };
        let limit = match LEGACY.poll {
            Some(_) => Limit::Milliseconds(2),
            None => Limit::PointerInPoll(2),
        };
        assert_eq!(poll(0, 5), Some(Wait::Sleep { result: 0 }));
        assert_eq!(poll(0, 0), Some(Wait::Sleep { result: 0 }));
        assert_eq!(poll(0, -1), None);
        assert_eq!(poll(1, 5), Some(Wait::Poll { limit }));
        assert_eq!((poll(1, 0), poll(1, -1)), (None, None));
    }
}
