//! Results of failed calls.

use nix::errno::Errno;

use super::decode::Call;

impl Call {
    /// The name of the error of this result, such as `EAGAIN`.
    pub fn error(&self, result: i64) -> String {
        let error = Errno::from_raw(i32::try_from(-result).unwrap_or(0));
        format!("{error:?}")
    }
}
