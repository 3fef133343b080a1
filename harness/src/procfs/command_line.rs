//! Command lines and names of processes.

use std::fs;

use nix::unistd::Pid;

/// Maximum number of characters of a command line in a message.
pub const LONGEST: usize = 60;

/// The command line of a process, shortened, or its name in brackets if it has none.
pub fn command(pid: Pid) -> String {
    shorten(&command_line(pid), LONGEST)
}

/// The whole command line of a process, or its name in brackets if it has none.
pub fn command_line(pid: Pid) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    match parse(&line) {
        words if words.is_empty() => {
            format!("[{}]", String::from_utf8_lossy(&name(pid)).trim())
        }
        words => words.join(" "),
    }
}

/// The name of a process, of at most 15 bytes; empty if the process is gone.
pub fn name(pid: Pid) -> Vec<u8> {
    let mut name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    if name.last() == Some(&b'\n') {
        name.pop();
    }
    name
}

fn parse(line: &[u8]) -> Vec<String> {
    line.split(|&byte| byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// The first `longest` characters, followed by an ellipsis if the text is longer.
pub fn shorten(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
