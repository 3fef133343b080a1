//! The peer of the external locks: plain open-file-description locks on a descriptor that stays
//! open.

use std::fs::File;
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};

pub struct RawOfd(File);

fn whole_file(kind: i32) -> libc::flock {
    libc::flock {
        l_type: kind as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

impl RawOfd {
    pub fn open(path: &Path) -> Self {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        RawOfd(file.expect("the lock file opens"))
    }

    pub fn lock(&self) {
        fcntl(&self.0, FcntlArg::F_OFD_SETLKW(&whole_file(libc::F_WRLCK)))
            .expect("the file can be locked");
    }

    pub fn unlock(&self) {
        fcntl(&self.0, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_UNLCK)))
            .expect("the file can be unlocked");
    }
}
