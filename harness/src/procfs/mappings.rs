//! Memory of processes (proc_pid_maps(5)).

use std::fs;

use nix::unistd::Pid;

/// The first memory of a process that it can write and that others may share, by its name or as
/// `memory` if it has none; `None` if there is none.
pub fn shared_memory(pid: Pid) -> Option<String> {
    shared_in(&fs::read_to_string(format!("/proc/{pid}/maps")).ok()?)
}

fn shared_in(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let permissions = words.nth(1)?.as_bytes();
        let is_shared = permissions.get(1) == Some(&b'w') && permissions.get(3) == Some(&b's');
        is_shared.then(|| words.nth(3).unwrap_or("memory").to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_memory_that_is_written_and_shared_counts() {
        let private = "7f00-7f01 rw-p 00000000 fe:01 12 /usr/lib/libc.so.6\n\
                       7f02-7f03 r--s 00000000 fe:01 13 /usr/lib/gconv-modules.cache\n\
                       7f04-7f05 rw-p 00000000 00:00 0\n";
        assert_eq!(shared_in(private), None);
        let shared = format!("{private}7f06-7f07 rw-s 00000000 00:01 4 /dev/shm/lock\n");
        assert_eq!(shared_in(&shared).as_deref(), Some("/dev/shm/lock"));
        let nameless = format!("{private}7f06-7f07 -w-s 00000000 00:01 4\n");
        assert_eq!(shared_in(&nameless).as_deref(), Some("memory"));
    }
}
