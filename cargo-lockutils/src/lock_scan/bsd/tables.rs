//! Output of programs that list processes.

use std::time::Duration;

/// The processes in the output of `lsof -Fp`: lines `pNUMBER`, among others.
#[cfg(any(test, target_os = "macos"))]
pub fn lsof(text: &str) -> Vec<i32> {
    let mut pids: Vec<i32> = text
        .lines()
        .filter_map(|line| line.strip_prefix('p')?.parse().ok())
        .collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// The processes in the output of `fstat FILE`: `USER CMD PID FD …`. The name of a command may have
/// blanks in it.
#[cfg(any(test, target_os = "freebsd"))]
pub fn fstat(text: &str) -> Vec<i32> {
    let pid = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // The first number that a descriptor and a mount point follow.
        (2..words.len().saturating_sub(2)).find_map(|at| {
            let descriptor = words[at + 1].trim_end_matches('*');
            let is_descriptor = descriptor.parse::<u32>().is_ok()
                || descriptor.bytes().all(|byte| byte.is_ascii_alphabetic());
            let is_mount = words[at + 2].starts_with(['/', '-']);
            (is_descriptor && is_mount).then(|| words[at].parse().ok())?
        })
    };
    let mut pids: Vec<i32> = text.lines().skip(1).filter_map(pid).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// The age and the command line in the output of `ps -o etime=,command= -p PID`.
pub fn ps(text: &str) -> Option<(Option<Duration>, String)> {
    let (age, command) = text.trim().split_once(char::is_whitespace)?;
    Some((elapsed(age), command.trim_start().to_owned()))
}

/// `[[DAYS-]HOURS:]MINUTES:SECONDS`.
fn elapsed(text: &str) -> Option<Duration> {
    let (days, rest) = match text.split_once('-') {
        Some((days, rest)) => (days.parse::<u64>().ok()?, rest),
        None => (0, text),
    };
    let mut seconds = 0;
    for part in rest.split(':') {
        seconds = seconds * 60 + part.parse::<u64>().ok()?;
    }
    Some(Duration::from_secs(days * 86_400 + seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_are_understood() {
        assert_eq!(lsof("p12\nf3\nf4\np7\nf3\n"), [7, 12]);
        let text = "USER     CMD          PID   FD MOUNT      INUM MODE         SZ|DV R/W NAME\n\
                    root     vi          4711   3* /tmp        123 -rw-r--r--       0 rw  /tmp/x\n\
                    me       my tool       12 text /usr        124 -rwxr-xr-x       0  r  /tmp/x\n\
                    me       sleep 9       13    4 /tmp        123 -rw-r--r--       0  r  /tmp/x\n";
        assert_eq!(fstat(text), [12, 13, 4711]);
        let (age, command) = ps(" 1-02:03:04 /bin/sh -c  x\n").unwrap();
        assert_eq!(
            age,
            Some(Duration::from_secs(86_400 + 2 * 3600 + 3 * 60 + 4))
        );
        assert_eq!(command, "/bin/sh -c  x");
        assert_eq!(ps("00:07 a").unwrap().0, Some(Duration::from_secs(7)));
        assert_eq!(ps(""), None);
    }
}
