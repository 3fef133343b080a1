//! The system call that a stopped task is about to make.

/// Number and arguments of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub number: u64,
    pub arguments: [u64; 6],
}

impl Entry {
    /// An argument whose type in C is `int`.
    pub fn int(&self, argument: usize) -> i32 {
        self.arguments[argument] as i32
    }
}
