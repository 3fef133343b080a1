//! Environment variables of processes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::{fs, io};

use nix::unistd::Pid;

/// The environment with which a process was started.
#[derive(Clone, Debug)]
pub struct Environment(Vec<u8>);

/// Reads the environment with which a process was started.
///
/// # Errors
/// Returns an error if the process is gone or belongs to another user.
pub fn environment(pid: Pid) -> io::Result<Environment> {
    fs::read(format!("/proc/{pid}/environ")).map(Environment::parse)
}

impl Environment {
    /// The environment in this text: entries `NAME=VALUE`, each ended by a zero byte.
    pub fn parse(text: Vec<u8>) -> Self {
        Environment(text)
    }

    /// The values of a variable; a process may have been given more than one.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a OsStr> {
        self.0.split(|&byte| byte == 0).filter_map(move |entry| {
            let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(OsStr::from_bytes(value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_name_of_a_variable_matches() {
        let environment = Environment::parse(b"AB=1\0A=2\0A=\0B=A=3".to_vec());
        let values: Vec<&OsStr> = environment.values("A").collect();
        assert_eq!(values, ["2", ""]);
    }
}
