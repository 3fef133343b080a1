//! Children that the kernel reaps by itself, because the program ignores SIGCHLD (wait(2), NOTES).
//!
//! The parent may be too late to open a pidfd for such a child. So the child opens its own before
//! exec and sends it to its parent; the kernel keeps the exit code with the pidfd
//! (`PIDFD_INFO_EXIT`, Linux 6.15).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::ptr;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// `true` if the kernel reaps the children of this process at this moment.
pub(super) fn sigchld_is_ignored() -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action the call only fills the structure, for which all zeroes is
    // valid.
    let action = unsafe {
        libc::sigaction(libc::SIGCHLD, ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN || action.sa_flags & libc::SA_NOCLDWAIT != 0
}

/// Space for one descriptor, aligned as control messages require.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// Calls `with` on a message of one byte and one descriptor, without allocating.
fn message<T>(with: impl FnOnce(&mut libc::msghdr) -> T) -> T {
    let (mut byte, mut control) = ([0_u8], Control([0; 64]));
    let mut part = libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: 1,
    };
    // SAFETY: all zeroes is a valid msghdr.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    // SAFETY: plain numbers.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<RawFd>() as u32) } as _;
    with(&mut message)
}

/// Sends the child's own pidfd to its parent. Runs in the child and is async-signal-safe. Without a
/// pidfd it sends nothing.
pub(super) fn send_own_pidfd(to: RawFd) {
    // SAFETY: plain numbers.
    let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0) } as RawFd;
    if pidfd < 0 {
        return;
    }
    message(|message| {
        // SAFETY: the control buffer has space for one header and one descriptor, and all pointers
        // are valid during the call.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
            ptr::write_unaligned(libc::CMSG_DATA(header).cast::<RawFd>(), pidfd);
            libc::sendmsg(to, message, libc::MSG_NOSIGNAL);
        }
    });
    // Like every pidfd, it is close-on-exec.
}

/// Receives the pidfd that the child has sent. Runs in the parent after exec.
pub(super) fn receive_pidfd(from: &UnixDatagram) -> Option<OwnedFd> {
    message(|message| {
        // SAFETY: the buffers are valid during the call, and a descriptor is taken only from a
        // message that carries one.
        unsafe {
            let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
            if libc::recvmsg(from.as_raw_fd(), message, flags) < 0 {
                return None;
            }
            let header = libc::CMSG_FIRSTHDR(message);
            if header.is_null() || (*header).cmsg_type != libc::SCM_RIGHTS {
                return None;
            }
            let fd = ptr::read_unaligned(libc::CMSG_DATA(header).cast::<RawFd>());
            Some(OwnedFd::from_raw_fd(fd))
        }
    })
}

/// The first version of `struct pidfd_info` in linux/pidfd.h.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// The exit status of a child that wait(2) no longer knows. `None` if the kernel does not keep it;
/// Linux does so from 6.15 on.
pub(super) fn exit_status(pidfd: impl AsFd) -> Option<ExitStatus> {
    const GET_INFO: libc::Ioctl = libc::_IOWR::<Info>(0xFF, 11);
    const EXIT: u64 = 1 << 3;
    /// The status becomes available slightly later than the end of the process.
    const TRIES: usize = 1000;
    for _ in 0..TRIES {
        let mut info = Info {
            mask: EXIT,
            ..Info::default()
        };
        // SAFETY: the kernel fills a structure of the size that is part of the request.
        let done = unsafe { libc::ioctl(pidfd.as_fd().as_raw_fd(), GET_INFO, &mut info) };
        if done == 0 && info.mask & EXIT != 0 {
            return Some(ExitStatus::from_raw(info.exit_code));
        }
        if done != 0 && io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return None;
        }
        // POLLHUP, which is always reported, means that the child has been reaped.
        let mut fd = [PollFd::new(pidfd.as_fd(), PollFlags::empty())];
        let _ = poll(&mut fd, PollTimeout::from(1_u8));
    }
    None
}
