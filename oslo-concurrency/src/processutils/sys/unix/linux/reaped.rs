//! Children that the kernel reaps by itself, since the program ignores SIGCHLD (wait(2), NOTES).
//!
//! Such a child may be gone before anybody has looked at it. So it opens its own pidfd before it
//! becomes the program, and sends it to its parent; the kernel remembers the exit code with the
//! pidfd (`PIDFD_INFO_EXIT`, Linux 6.15).

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
    // SAFETY: with no new action the call only fills the structure, for which all zeroes is valid
    // too.
    let action = unsafe {
        libc::sigaction(libc::SIGCHLD, ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN || action.sa_flags & libc::SA_NOCLDWAIT != 0
}

/// Room for one descriptor, aligned as a control message has to be.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// Calls `with` on a message of one byte and one descriptor. Allocates nothing.
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

/// In the child: sends its own pidfd. Only async-signal-safe calls; without a pidfd the parent does
/// without.
pub(super) fn send_own_pidfd(to: RawFd) {
    // SAFETY: plain numbers.
    let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0) } as RawFd;
    if pidfd < 0 {
        return;
    }
    message(|message| {
        // SAFETY: the control buffer has room for one header and one descriptor, and all pointers
        // live during the call.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
            ptr::write_unaligned(libc::CMSG_DATA(header).cast::<RawFd>(), pidfd);
            libc::sendmsg(to, message, libc::MSG_NOSIGNAL);
        }
    });
    // It is close-on-exec, as is every pidfd.
}

/// In the parent, when the child has become the program: the pidfd that it has sent.
pub(super) fn receive_pidfd(from: &UnixDatagram) -> Option<OwnedFd> {
    message(|message| {
        // SAFETY: the buffers live during the call, and a descriptor is taken only out of a message
        // that carries one.
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

/// `struct pidfd_info` of linux/pidfd.h, as of its first version.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// How a child has ended that wait(2) knows no more. `None` if the kernel does not remember, which
/// Linux does since 6.15.
pub(super) fn exit_status(pidfd: impl AsFd) -> Option<ExitStatus> {
    const GET_INFO: libc::Ioctl = libc::_IOWR::<Info>(0xFF, 11);
    const EXIT: u64 = 1 << 3;
    /// It is remembered a moment after the end can be seen.
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
        // POLLHUP, which is always reported: the child is reaped.
        let mut fd = [PollFd::new(pidfd.as_fd(), PollFlags::empty())];
        let _ = poll(&mut fd, PollTimeout::from(1_u8));
    }
    None
}
