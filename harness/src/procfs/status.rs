//! Counters of a thread (proc_pid_status(5)).

use std::fs::File;
use std::io::Read;

use nix::unistd::Pid;

/// Room for such a file: its fields are few and short.
const LONGEST: usize = 8 * 1024;

/// Fields of the file `status` of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The state, such as `R` for running and `S` for sleeping.
    pub state: char,
    /// The process to which the thread belongs, and its first thread.
    pub process: Pid,
    /// Number of context switches so far, voluntary and involuntary.
    pub context_switches: u64,
}

impl Status {
    /// Reads the file of a thread; `None` if it is gone.
    pub fn of(tid: Pid) -> Option<Self> {
        let mut file = File::open(format!("/proc/{tid}/status")).ok()?;
        // The kernel makes the whole text anew for each read, so one read must be enough.
        let mut text = [0; LONGEST];
        let length = file.read(&mut text).ok()?;
        Status::parse(&String::from_utf8_lossy(&text[..length]))
    }

    /// The contents of the file.
    pub fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        };
        let switches = ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"];
        let switches = switches.map(|name| field(name)?.trim().parse::<u64>().ok());
        Some(Status {
            state: field("State")?.trim().chars().next()?,
            process: Pid::from_raw(field("Tgid")?.trim().parse().ok()?),
            context_switches: switches.into_iter().flatten().fold(0, u64::saturating_add),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_context_switches_count() {
        let text = "Name:\ta\nState:\tS (sleeping)\nTgid:\t7\nPid:\t8\n\
                    voluntary_ctxt_switches:\t3\nnonvoluntary_ctxt_switches:\t4\n";
        let status = Status::parse(text).unwrap();
        assert_eq!((status.state, status.context_switches), ('S', 7));
        assert_eq!(status.process, Pid::from_raw(7));
    }

    #[test]
    fn this_process_is_that_of_its_first_thread() {
        assert_eq!(Status::of(Pid::this()).unwrap().process, Pid::this());
    }
}
