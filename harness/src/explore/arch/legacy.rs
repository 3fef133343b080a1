//! System calls that only older architectures have. The others have only variants with a directory
//! descriptor or a `timespec`.

use nix::libc::c_long;

/// Numbers of these calls; `None` if the processor has no such call.
#[derive(Clone, Copy, Debug)]
pub struct LegacyNumbers {
    pub access: Option<c_long>,
    pub chmod: Option<c_long>,
    pub creat: Option<c_long>,
    pub dup2: Option<c_long>,
    pub epoll_wait: Option<c_long>,
    pub futimesat: Option<c_long>,
    pub link: Option<c_long>,
    pub lstat: Option<c_long>,
    pub mkdir: Option<c_long>,
    pub mknod: Option<c_long>,
    pub open: Option<c_long>,
    pub poll: Option<c_long>,
    pub readlink: Option<c_long>,
    pub rename: Option<c_long>,
    pub renameat: Option<c_long>,
    pub rmdir: Option<c_long>,
    pub select: Option<c_long>,
    pub stat: Option<c_long>,
    pub symlink: Option<c_long>,
    pub unlink: Option<c_long>,
    pub utime: Option<c_long>,
    pub utimes: Option<c_long>,
}

impl LegacyNumbers {
    /// The numbers of a processor without these calls.
    #[cfg_attr(target_arch = "x86_64", allow(dead_code))]
    pub const NONE: LegacyNumbers = LegacyNumbers {
        access: None,
        chmod: None,
        creat: None,
        dup2: None,
        epoll_wait: None,
        futimesat: None,
        link: None,
        lstat: None,
        mkdir: None,
        mknod: None,
        open: None,
        poll: None,
        readlink: None,
        rename: None,
        renameat: None,
        rmdir: None,
        select: None,
        stat: None,
        symlink: None,
        unlink: None,
        utime: None,
        utimes: None,
    };
}
