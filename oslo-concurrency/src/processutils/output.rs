//! What a command that ended as expected has left.

use super::mask::into_text;

/// What a command wrote, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output<T = String> {
    /// Its standard output.
    pub stdout: T,
    /// Its standard error.
    pub stderr: T,
    /// Its exit code; -n if signal n ended it. 0 unless `check_exit_code` allows others.
    pub exit_code: i32,
}

impl Output<Vec<u8>> {
    /// The same as text, in which what is not UTF-8 is replaced by `U+FFFD`.
    pub fn into_text(self) -> Output {
        Output {
            stdout: into_text(self.stdout),
            stderr: into_text(self.stderr),
            exit_code: self.exit_code,
        }
    }
}
