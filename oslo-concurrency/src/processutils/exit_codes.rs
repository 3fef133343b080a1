//! Exit codes that are not an error.

/// The exit codes that are not an error: `true` for 0 only, `false` for all, a number, or a list.
///
/// ```
/// use oslo_concurrency::processutils::execute;
///
/// execute(["sh", "-c", "exit 7"]).check_exit_code(false).run()?;
/// execute(["sh", "-c", "exit 7"]).check_exit_code(7).run()?;
/// let output = execute(["sh", "-c", "kill -TERM $$"]).check_exit_code([0, -15]).run()?;
/// assert_eq!(output.exit_code, -15);
/// # Ok::<(), oslo_concurrency::processutils::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckExitCode {
    /// All exit codes.
    Any,
    /// The exit codes of this list.
    OneOf(Vec<i32>),
}

impl CheckExitCode {
    pub(super) fn accepts(&self, exit_code: i32) -> bool {
        match self {
            CheckExitCode::Any => true,
            CheckExitCode::OneOf(codes) => codes.contains(&exit_code),
        }
    }
}

impl Default for CheckExitCode {
    fn default() -> Self {
        CheckExitCode::from(true)
    }
}

impl From<bool> for CheckExitCode {
    fn from(check: bool) -> Self {
        match check {
            true => CheckExitCode::OneOf(vec![0]),
            false => CheckExitCode::Any,
        }
    }
}

impl From<i32> for CheckExitCode {
    fn from(code: i32) -> Self {
        CheckExitCode::OneOf(vec![code])
    }
}

impl From<Vec<i32>> for CheckExitCode {
    fn from(codes: Vec<i32>) -> Self {
        CheckExitCode::OneOf(codes)
    }
}

impl From<&[i32]> for CheckExitCode {
    fn from(codes: &[i32]) -> Self {
        CheckExitCode::OneOf(codes.to_vec())
    }
}

impl<const N: usize> From<[i32; N]> for CheckExitCode {
    fn from(codes: [i32; N]) -> Self {
        CheckExitCode::OneOf(codes.to_vec())
    }
}
