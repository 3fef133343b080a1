//! The output of a command that ended as expected.

use super::mask::into_text;

/// The output and the exit code of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output<T = String> {
    /// Its standard output.
    pub stdout: T,
    /// Its standard error.
    pub stderr: T,
    /// Its exit code, or -n if signal n ended it. Always 0 unless `check_exit_code` allows others.
    pub exit_code: i32,
}

impl Output<Vec<u8>> {
    /// Converts the output to text, with invalid UTF-8 replaced by `U+FFFD`.
    pub fn into_text(self) -> Output {
        Output {
            stdout: into_text(self.stdout),
            stderr: into_text(self.stderr),
            exit_code: self.exit_code,
        }
    }
}
