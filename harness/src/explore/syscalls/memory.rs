//! The memory of a stopped task, and its data in /proc.

use std::ffi::OsString;
use std::io::{IoSlice, IoSliceMut};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use nix::libc;
use nix::sys::time::TimeSpec;
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;

use super::super::entry::Entry;
use super::table::Sends;
use crate::procfs::{self, Status};

/// The two bytes at this address.
pub fn short(tid: Pid, address: u64) -> Option<u16> {
    let mut bytes = [0; 2];
    (read(tid, address, &mut bytes)? == 2).then(|| u16::from_ne_bytes(bytes))
}

/// The four bytes at this address.
pub fn word(tid: Pid, address: u64) -> Option<u32> {
    let mut bytes = [0; 4];
    (read(tid, address, &mut bytes)? == 4).then(|| u32::from_ne_bytes(bytes))
}

/// The eight bytes at this address.
pub fn long(tid: Pid, address: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    (read(tid, address, &mut bytes)? == 8).then(|| u64::from_ne_bytes(bytes))
}

/// The `struct timespec` at this address.
pub fn time(tid: Pid, address: u64) -> Option<TimeSpec> {
    let [seconds, nanoseconds] = [long(tid, address)?, long(tid, address + 8)?];
    Some(TimeSpec::new(
        seconds.cast_signed(),
        nanoseconds.cast_signed(),
    ))
}

fn read(tid: Pid, address: u64, buffer: &mut [u8]) -> Option<usize> {
    let remote = [RemoteIoVec {
        base: address as usize,
        len: buffer.len(),
    }];
    process_vm_readv(tid, &mut [IoSliceMut::new(buffer)], &remote).ok()
}

/// Maximum number of bytes of a request that are looked at.
const MOST_SENT: usize = 64 * 1024;

/// The bytes that a call is about to send; `None` if they are too many or cannot be read.
pub fn sent(tid: Pid, entry: &Entry, sends: Sends) -> Option<Vec<u8>> {
    let arguments = entry.arguments;
    match sends {
        Sends::Buffer(address, length) => bytes(tid, arguments[address], arguments[length]),
        Sends::Vector(address, count) => vector(tid, arguments[address], arguments[count]),
        Sends::Message(message) => {
            // `msg_iov` and `msg_iovlen` of `struct msghdr` (sendmsg(2), 64 bits).
            let message = arguments[message];
            let [address, count] = [long(tid, message + 16)?, long(tid, message + 24)?];
            vector(tid, address, count)
        }
        Sends::Elsewhere => None,
    }
}

fn bytes(tid: Pid, address: u64, length: u64) -> Option<Vec<u8>> {
    let length = usize::try_from(length)
        .ok()
        .filter(|length| *length <= MOST_SENT)?;
    let mut bytes = vec![0; length];
    (length == 0 || read(tid, address, &mut bytes)? == length).then_some(bytes)
}

/// The bytes behind an array of `struct iovec`: each an address and a length.
fn vector(tid: Pid, address: u64, count: u64) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    for at in 0..count.min(libc::UIO_MAXIOV as u64) {
        let part = address + 16 * at;
        all.extend(bytes(tid, long(tid, part)?, long(tid, part + 8)?)?);
        if all.len() > MOST_SENT {
            return None;
        }
    }
    Some(all)
}

/// Changes the bytes at this address.
pub fn write(tid: Pid, address: u64, bytes: &[u8]) -> nix::Result<()> {
    let remote = [RemoteIoVec {
        base: address as usize,
        len: bytes.len(),
    }];
    process_vm_writev(tid, &[IoSlice::new(bytes)], &remote).map(drop)
}

/// The string at this address. No read crosses a page boundary, since the next page may not be
/// mapped.
fn string(tid: Pid, address: u64) -> Option<PathBuf> {
    const PAGE: u64 = 4096;
    let mut bytes = Vec::new();
    let mut at = address;
    while bytes.len() < libc::PATH_MAX as usize {
        let length = (PAGE - at % PAGE).min(256) as usize;
        let mut part = vec![0; length];
        let got = read(tid, at, &mut part)?;
        match part[..got].iter().position(|byte| *byte == 0) {
            Some(end) => {
                bytes.extend_from_slice(&part[..end]);
                return Some(OsString::from_vec(bytes).into());
            }
            None if got == 0 => return None,
            None => bytes.extend_from_slice(&part[..got]),
        }
        at += got as u64;
    }
    None
}

/// The path at this address, made absolute from the directory open on `dir`. Links are not
/// followed.
pub fn path(tid: Pid, dir: i32, address: u64) -> Option<PathBuf> {
    if address == 0 {
        return of_descriptor(tid, dir);
    }
    let path = string(tid, address)?;
    if path.is_absolute() {
        return Some(resolve_own_descriptor(tid, clean(&path)));
    }
    if path.as_os_str().is_empty() {
        return of_descriptor(tid, dir);
    }
    let base = match dir {
        libc::AT_FDCWD => procfs::working_directory(tid).ok()?,
        fd => of_descriptor(tid, fd)?,
    };
    Some(clean(&base.join(path)))
}

/// Replaces `/proc/self/fd/3` and `/dev/fd/3` by the file that the descriptor is open on.
fn resolve_own_descriptor(tid: Pid, path: PathBuf) -> PathBuf {
    let descriptor = procfs::descriptor_number(tid, &path);
    match descriptor.and_then(|fd| of_descriptor(tid, fd)) {
        Some(open_on) => open_on,
        None => path,
    }
}

/// The file that a descriptor is open on, even if its name is gone.
pub fn of_descriptor(tid: Pid, fd: i32) -> Option<PathBuf> {
    let link = procfs::descriptor_target(tid, fd).ok()?;
    match link
        .to_str()
        .and_then(|text| text.strip_suffix(" (deleted)"))
    {
        Some(name) => Some(PathBuf::from(name)),
        None => Some(link),
    }
}

/// The open descriptors in this range.
pub fn descriptors(tid: Pid, from: u64, to: u64) -> Vec<i32> {
    procfs::descriptors(tid)
        .into_iter()
        .flatten()
        .filter(|fd| (from..=to).contains(&u64::from(fd.unsigned_abs())))
        .collect()
}

/// The path without `.` and `..`. Links are not followed.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(cleaned.pop()),
            Component::CurDir => {}
            part => cleaned.push(part),
        }
    }
    cleaned
}

/// Returns `true` for the first thread of a process.
pub fn is_first(tid: Pid) -> bool {
    Status::of(tid).is_some_and(|status| status.process == tid)
}

/// Returns `true` if the process has no other thread.
pub fn is_alone(tid: Pid) -> bool {
    procfs::has_one_thread(tid)
}
