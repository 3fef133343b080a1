//! Processors without a file here. Every operation fails, but a search ends before it calls one.

use nix::errno::Errno;
use nix::libc::c_long;
use nix::unistd::Pid;

use super::super::entry::Entry;
use super::legacy::LegacyNumbers;

pub const SUPPORTED: bool = false;
pub const AUDIT_ARCH: u32 = 0;
pub const LEGACY: LegacyNumbers = LegacyNumbers::NONE;

const UNSUPPORTED: Errno = Errno::ENOSYS;

pub fn set_argument(_tid: Pid, _argument: usize, _value: u64) -> nix::Result<()> {
    Err(UNSUPPORTED)
}

pub fn answer_call(_tid: Pid, _result: i64) -> nix::Result<()> {
    Err(UNSUPPORTED)
}

pub fn repeat_call(_tid: Pid, _entry: &Entry) -> nix::Result<()> {
    Err(UNSUPPORTED)
}

pub fn scratch(_tid: Pid, _length: usize) -> nix::Result<u64> {
    Err(UNSUPPORTED)
}

pub fn stands_in_call(_tid: Pid) -> bool {
    false
}

/// The counterpart of a supported processor's type; it has no value.
#[derive(Debug)]
pub enum Injection {}

impl Injection {
    pub fn begin(_tid: Pid) -> nix::Result<Self> {
        Err(UNSUPPORTED)
    }

    pub fn prepare(&self, _number: c_long, _arguments: [u64; 3]) -> nix::Result<()> {
        match *self {}
    }

    pub fn enter(&mut self, _number: c_long) -> nix::Result<()> {
        match *self {}
    }

    pub fn result(&self) -> nix::Result<i64> {
        match *self {}
    }

    pub fn end(self) -> nix::Result<()> {
        match self {}
    }
}
