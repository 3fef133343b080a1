//! State, parents and age of processes and threads (proc_pid_stat(5)).

use std::fs;
use std::time::Duration;

use nix::unistd::Pid;

/// Ticks in a second, on every Linux that Rust runs on (`USER_HZ`).
const TICKS: f64 = 100.0;

/// Fields of the file `stat` of a process or thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The state, such as `R` for running and `S` for sleeping.
    pub state: char,
    /// The parent process.
    pub parent: Pid,
    /// The process group.
    pub group: Pid,
    /// The session.
    pub session: Pid,
    /// Ticks from boot to the start of the process.
    pub started: u64,
}

impl Stat {
    /// Reads the file of a process, or of a thread by its own number; `None` if it is gone.
    pub fn of(pid: Pid) -> Option<Self> {
        Stat::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The contents of the file. The name in the second field may have blanks and brackets.
    pub fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(") ")?;
        let mut fields = fields.split(' ');
        let state = fields.next()?.chars().next()?;
        let mut number = || Some(Pid::from_raw(fields.next()?.parse().ok()?));
        Some(Stat {
            state,
            parent: number()?,
            group: number()?,
            session: number()?,
            started: fields.nth(15)?.trim_end().parse().ok()?,
        })
    }

    /// Returns `false` for a process that has ended, even if its parent has not reaped it yet.
    pub fn lives(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

/// The state of a process or thread, a letter; `None` if it is gone.
pub fn state(pid: Pid) -> Option<char> {
    Stat::of(pid).map(|stat| stat.state)
}

/// Returns `true` unless the process has ended. One that was not reaped yet has ended.
pub fn lives(pid: Pid) -> bool {
    Stat::of(pid).is_some_and(|stat| stat.lives())
}

/// The time since a process was started; `None` if it is gone.
pub fn age(pid: Pid) -> Option<Duration> {
    let started = Stat::of(pid)?.started as f64 / TICKS;
    let uptime = parse_uptime(&fs::read_to_string("/proc/uptime").ok()?)?;
    Duration::try_from_secs_f64((uptime - started).max(0.0)).ok()
}

/// The seconds since boot, the first number of `/proc/uptime`.
pub(super) fn parse_uptime(text: &str) -> Option<f64> {
    text.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let rest = "4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        let stat = Stat::parse(&format!("7 (a) b (c) S 1 2 3 {rest}")).unwrap();
        let numbers = [stat.parent, stat.group, stat.session].map(Pid::as_raw);
        assert_eq!((numbers, stat.lives()), ([1, 2, 3], true));
    }

    #[test]
    fn our_own_age_is_that_of_this_test() {
        let age = age(Pid::this()).unwrap();
        assert!(age < Duration::from_secs(24 * 3600), "{age:?}");
    }
}
