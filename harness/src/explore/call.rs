//! Which system calls matter to a lock that lives in a directory, and what they are about (x86-64; numbers from syscalls(2)).

use std::ffi::OsString;
use std::fs;
use std::io::IoSliceMut;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use nix::libc;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

/// What a call does to a lock, as far as scheduling goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Removes or moves a name, or takes a kernel lock: before these, a delay finds most races (ZOO of the trial runs).
    TakesOrRemoves,
    /// Makes a name, or changes a file.
    Makes,
    /// Gives a lock back, or may do so.
    Releases,
    /// Looks only.
    Looks,
    /// Waits for time to pass.
    Sleeps,
}

/// A call that a task is about to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub kind: Kind,
    pub name: &'static str,
    /// What it is about, relative to the lock's directory.
    pub target: String,
    /// A lock call that would wait: which argument to change so that it does not, and to what.
    pub blocking: Option<(usize, u64)>,
    /// The descriptor that it is about.
    pub fd: Option<i32>,
    pub nr: u64,
}

/// Where an argument of a call stands.
enum At {
    /// Path in this argument, relative to the working directory.
    Path(usize),
    /// Directory descriptor, path.
    Dir(usize, usize),
    Fd(usize),
}

/// Reads the call, if it matters to a lock below `directory`.
pub fn classify(tid: Pid, nr: u64, args: [u64; 6], directory: &Path) -> Option<Call> {
    use At::{Dir, Fd, Path as P};
    use Kind::{Looks, Makes, Releases, Sleeps, TakesOrRemoves};
    let number = nr as libc::c_long;
    let creates = |flags: u64| flags as i32 & libc::O_CREAT != 0;
    let sleeps = match number {
        libc::SYS_nanosleep | libc::SYS_clock_nanosleep => true,
        libc::SYS_select | libc::SYS_pselect6 => args[0] == 0,
        libc::SYS_poll | libc::SYS_ppoll => args[1] == 0,
        _ => false,
    };
    if sleeps {
        return Some(Call {
            kind: Sleeps,
            name: "sleep",
            target: String::new(),
            blocking: None,
            fd: None,
            nr,
        });
    }
    let (name, kind, places): (&'static str, Kind, &[At]) = match number {
        libc::SYS_open => (
            "open",
            if creates(args[1]) { Makes } else { Looks },
            &[P(0)],
        ),
        libc::SYS_openat => (
            "open",
            if creates(args[2]) { Makes } else { Looks },
            &[Dir(0, 1)],
        ),
        libc::SYS_creat => ("open", Makes, &[P(0)]),
        libc::SYS_unlink => ("unlink", TakesOrRemoves, &[P(0)]),
        libc::SYS_unlinkat if args[2] as i32 & libc::AT_REMOVEDIR != 0 => {
            ("rmdir", TakesOrRemoves, &[Dir(0, 1)])
        }
        libc::SYS_unlinkat => ("unlink", TakesOrRemoves, &[Dir(0, 1)]),
        libc::SYS_rmdir => ("rmdir", TakesOrRemoves, &[P(0)]),
        libc::SYS_mkdir => ("mkdir", Makes, &[P(0)]),
        libc::SYS_mkdirat => ("mkdir", Makes, &[Dir(0, 1)]),
        libc::SYS_rename => ("rename", TakesOrRemoves, &[P(0), P(1)]),
        libc::SYS_renameat | libc::SYS_renameat2 => {
            ("rename", TakesOrRemoves, &[Dir(0, 1), Dir(2, 3)])
        }
        libc::SYS_link => ("link", TakesOrRemoves, &[P(0), P(1)]),
        libc::SYS_linkat => ("link", TakesOrRemoves, &[Dir(0, 1), Dir(2, 3)]),
        libc::SYS_symlink => ("symlink", Makes, &[P(1)]),
        libc::SYS_symlinkat => ("symlink", Makes, &[Dir(1, 2)]),
        libc::SYS_truncate => ("truncate", Makes, &[P(0)]),
        libc::SYS_ftruncate => ("truncate", Makes, &[Fd(0)]),
        libc::SYS_stat => ("stat", Looks, &[P(0)]),
        libc::SYS_lstat => ("lstat", Looks, &[P(0)]),
        libc::SYS_newfstatat | libc::SYS_statx => ("stat", Looks, &[Dir(0, 1)]),
        libc::SYS_access => ("access", Looks, &[P(0)]),
        libc::SYS_faccessat | libc::SYS_faccessat2 => ("access", Looks, &[Dir(0, 1)]),
        libc::SYS_readlink => ("readlink", Looks, &[P(0)]),
        libc::SYS_readlinkat => ("readlink", Looks, &[Dir(0, 1)]),
        libc::SYS_fstat => ("fstat", Looks, &[Fd(0)]),
        libc::SYS_utime | libc::SYS_utimes => ("utime", Makes, &[P(0)]),
        libc::SYS_utimensat | libc::SYS_futimesat => ("utime", Makes, &[Dir(0, 1)]),
        libc::SYS_read | libc::SYS_pread64 => ("read", Looks, &[Fd(0)]),
        libc::SYS_write | libc::SYS_pwrite64 => ("write", Makes, &[Fd(0)]),
        libc::SYS_getdents64 => ("list", Looks, &[Fd(0)]),
        libc::SYS_close => ("close", Releases, &[Fd(0)]),
        libc::SYS_flock => match args[1] as i32 & libc::LOCK_UN {
            0 => ("flock", TakesOrRemoves, &[Fd(0)]),
            _ => ("funlock", Releases, &[Fd(0)]),
        },
        libc::SYS_fcntl => match args[1] as i32 {
            libc::F_SETLK | libc::F_SETLKW | libc::F_OFD_SETLK | libc::F_OFD_SETLKW => {
                match word(tid, args[2]).map(|word| i32::from(word as i16)) {
                    Some(libc::F_UNLCK) => ("unlock", Releases, &[Fd(0)]),
                    _ => ("lock", TakesOrRemoves, &[Fd(0)]),
                }
            }
            _ => return None,
        },
        _ => return None,
    };
    let mut targets = Vec::new();
    let mut fd = None;
    for place in places {
        let path = match *place {
            At::Path(arg) => resolve(tid, libc::AT_FDCWD, args[arg]),
            At::Dir(dir, arg) => resolve(tid, args[dir] as i32, args[arg]),
            At::Fd(arg) => {
                fd = Some(args[arg] as i32);
                of_descriptor(tid, args[arg] as i32)
            }
        };
        if let Some(path) = path
            && let Ok(relative) = path.strip_prefix(directory)
        {
            targets.push(relative.to_string_lossy().into_owned());
        }
    }
    if targets.is_empty() {
        return None;
    }
    let blocking = match (number, args[1] as i32) {
        (libc::SYS_flock, how) if how & (libc::LOCK_NB | libc::LOCK_UN) == 0 => {
            Some((1, args[1] | libc::LOCK_NB as u64))
        }
        (libc::SYS_fcntl, libc::F_SETLKW) => Some((1, libc::F_SETLK as u64)),
        (libc::SYS_fcntl, libc::F_OFD_SETLKW) => Some((1, libc::F_OFD_SETLK as u64)),
        _ => None,
    };
    Some(Call {
        kind,
        name,
        target: targets.join(" -> "),
        blocking,
        fd,
        nr,
    })
}

fn word(tid: Pid, address: u64) -> Option<u16> {
    let mut bytes = [0; 2];
    (read(tid, address, &mut bytes)? == 2).then(|| u16::from_ne_bytes(bytes))
}

fn read(tid: Pid, address: u64, buffer: &mut [u8]) -> Option<usize> {
    let remote = [RemoteIoVec {
        base: address as usize,
        len: buffer.len(),
    }];
    process_vm_readv(tid, &mut [IoSliceMut::new(buffer)], &remote).ok()
}

/// The string at this address; up to the end of its page first, since the next one may not be there.
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

fn resolve(tid: Pid, dir: i32, address: u64) -> Option<PathBuf> {
    if address == 0 {
        return of_descriptor(tid, dir);
    }
    let path = string(tid, address)?;
    if path.is_absolute() {
        return Some(clean(&path));
    }
    if path.as_os_str().is_empty() {
        return of_descriptor(tid, dir);
    }
    let base = match dir {
        libc::AT_FDCWD => fs::read_link(format!("/proc/{tid}/cwd")).ok()?,
        fd => of_descriptor(tid, fd)?,
    };
    Some(clean(&base.join(path)))
}

/// The file that a descriptor is open on, also when its name is gone.
pub fn of_descriptor(tid: Pid, fd: i32) -> Option<PathBuf> {
    let link = fs::read_link(format!("/proc/{tid}/fd/{fd}")).ok()?;
    let text = link.to_string_lossy();
    Some(
        text.strip_suffix(" (deleted)")
            .map_or(link.clone(), PathBuf::from),
    )
}

/// Without `.` and `..`, by the names alone: lock directories have no links in them.
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
