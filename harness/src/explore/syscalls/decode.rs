//! Decodes a stopped call: its files, its operation and its effect.

use std::path::Path;

use nix::libc;
use nix::unistd::Pid;

use super::super::entry::Entry;
use super::super::lock_files::LockFiles;
use super::super::requests::{Access, Request};
use super::effect::Effect;
use super::memory;
use super::operation::Operation;
use super::resources::Resources;
use super::table::{Argument, Blocking, Cases, Condition, SystemCall};

/// A system call that a task is about to make, or has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub operation: Operation,
    pub effect: Effect,
    /// The files that it operates on, relative to the lock's directory.
    pub targets: Vec<String>,
    /// For a lock call that would wait: the argument to change so that it does not wait, and its
    /// new value.
    pub blocking: Option<(usize, u64)>,
    /// The request, if it sends one to a server.
    pub request: Option<Request>,
    /// The descriptor that it operates on.
    pub fd: Option<i32>,
    /// The files of its descriptors.
    pub described: Resources,
    /// All resources of the call, as of the last lookup.
    pub resources: Resources,
    pub number: u64,
}

impl Call {
    fn new(operation: Operation, effect: Effect, number: u64) -> Self {
        Call {
            operation,
            effect,
            targets: Vec::new(),
            blocking: None,
            request: None,
            fd: None,
            described: Resources::default(),
            resources: Resources::default(),
            number,
        }
    }

    /// A step that is not a call of a worker.
    pub fn from_outside(operation: Operation, effect: Effect, target: &str) -> Self {
        Call {
            targets: vec![target.to_owned()],
            ..Call::new(operation, effect, 0)
        }
    }

    /// A sleep as a step.
    pub fn sleep(number: u64) -> Self {
        Call::new(Operation::Sleep, Effect::Sleep, number)
    }

    /// A request to a server through this descriptor.
    pub fn request(number: u64, fd: i32, request: Request) -> Self {
        let effect = match request.touched.access {
            Access::Nothing | Access::Reads => Effect::Observe,
            Access::Writes => Effect::Modify,
            Access::Removes => Effect::Claim,
        };
        Call {
            request: Some(request),
            fd: Some(fd),
            ..Call::new(Operation::Request, effect, number)
        }
    }

    /// The close of a connection to a server that keeps sessions.
    pub fn disconnect(number: u64, fd: i32, server: usize) -> Self {
        Call {
            request: Some(Request::end_of_session(server)),
            fd: Some(fd),
            ..Call::new(Operation::Disconnect, Effect::Release, number)
        }
    }

    /// Returns `true` for a sleep.
    pub fn is_sleep(&self) -> bool {
        self.effect == Effect::Sleep
    }

    /// Returns `true` for a request that concerns its connection alone.
    pub fn is_silent(&self) -> bool {
        let request = self.request.as_ref();
        request.is_some_and(|request| request.touched.access == Access::Nothing)
    }

    /// The target of the call, for display.
    pub fn target(&self) -> String {
        match &self.request {
            Some(request) => request.text.clone(),
            None => self.targets.join(" -> "),
        }
    }

    /// The answer of the server to a request, for display.
    pub fn answer(&self) -> Option<&str> {
        self.request.as_ref()?.answer.as_deref()
    }

    /// Returns `true` if the answer of a server shows that the call changed nothing.
    pub fn was_in_vain(&self) -> bool {
        self.request.as_ref().is_some_and(|request| request.in_vain)
    }

    /// The same call with the files and places that its names refer to now.
    pub fn identified(mut self, directory: &Path) -> Self {
        if self.operation.is_on_server() {
            return self;
        }
        self.resources = Resources::of_names(directory, &self.targets);
        self.resources.files.extend(&self.described.files);
        self
    }

    /// The descriptor of the file that a completed call operated on.
    pub fn descriptor_after(&self, result: i64) -> Option<i32> {
        match self.operation {
            Operation::Open => i32::try_from(result).ok().filter(|fd| *fd >= 0),
            Operation::Close | Operation::Request | Operation::Disconnect => None,
            _ => self.fd,
        }
    }
}

/// The decoded call, if it may touch the lock of these files. If `identify`, the files of its
/// descriptors are looked up.
pub fn decode(
    tid: Pid,
    system_call: &SystemCall,
    entry: &Entry,
    files: &mut LockFiles,
    identify: bool,
) -> Option<Call> {
    let (operation, effect) = meaning(tid, system_call, entry)?;
    let mut call = Call::new(operation, effect, entry.number);
    for argument in system_call.files {
        let (path, fd) = match *argument {
            Argument::Path(path) => {
                let address = entry.arguments[path];
                (memory::path(tid, libc::AT_FDCWD, address), None)
            }
            Argument::PathAt(dir, path) => {
                let address = entry.arguments[path];
                (memory::path(tid, entry.int(dir), address), None)
            }
            Argument::Fd(fd) => {
                let fd = entry.int(fd);
                (memory::of_descriptor(tid, fd), Some(fd))
            }
            Argument::Fds(from, to) => {
                let [from, to] = [entry.arguments[from], entry.arguments[to]];
                for fd in memory::descriptors(tid, from, to) {
                    if identify {
                        call.described.add_descriptor(tid, fd);
                    }
                    let path = memory::of_descriptor(tid, fd);
                    call.targets
                        .extend(path.and_then(|path| files.name_of(&path)));
                }
                continue;
            }
            Argument::Process => {
                call.targets.push("whether a process lives".to_owned());
                continue;
            }
        };
        call.fd = call.fd.or(fd);
        let Some(path) = path else { continue };
        match files.name_of(&path) {
            Some(name) => call.targets.push(name),
            None if operation.is_kernel_lock() => {
                call.targets.push(path.to_string_lossy().into_owned());
            }
            None => {}
        }
    }
    if call.targets.is_empty() {
        return None;
    }
    if identify {
        for argument in system_call.files {
            if let Argument::Fd(fd) = *argument {
                call.described.add_descriptor(tid, entry.int(fd));
            }
        }
    }
    call.blocking = without_waiting(system_call, entry);
    Some(call)
}

/// The operation and the effect of the call.
fn meaning(tid: Pid, system_call: &SystemCall, entry: &Entry) -> Option<(Operation, Effect)> {
    match system_call.cases {
        Cases::Nothing => None,
        Cases::Always(operation, effect) => Some((operation, effect)),
        Cases::First(cases) => cases
            .iter()
            .find(|(condition, ..)| is_met(tid, *condition, entry))
            .map(|(_, operation, effect)| (*operation, *effect)),
    }
}

fn is_met(tid: Pid, condition: Condition, entry: &Entry) -> bool {
    match condition {
        Condition::Otherwise => true,
        Condition::Bits(argument, bits) => entry.int(argument) & bits != 0,
        Condition::BitsBehind(argument, bits) => {
            let flags = memory::long(tid, entry.arguments[argument]);
            flags.unwrap_or(0) as i32 & bits != 0
        }
        Condition::OneOf(argument, values) => values.contains(&entry.int(argument)),
        Condition::OneOfAndShort(argument, values, pointer, value) => {
            values.contains(&entry.int(argument))
                && memory::short(tid, entry.arguments[pointer])
                    .is_some_and(|short| i32::from(short.cast_signed()) == value)
        }
        Condition::Differ(one, other) => entry.arguments[one] != entry.arguments[other],
    }
}

/// The argument, and its value, with which a call that would wait for a lock fails at once.
fn without_waiting(system_call: &SystemCall, entry: &Entry) -> Option<(usize, u64)> {
    match system_call.blocking {
        Blocking::LockUnless {
            argument,
            unless,
            instead,
        } => {
            let value = entry.arguments[argument];
            (entry.int(argument) & unless == 0).then_some((argument, value | instead as u64))
        }
        Blocking::LockIf { argument, instead } => instead
            .iter()
            .find(|(waiting, _)| *waiting == entry.int(argument))
            .map(|(_, instead)| (argument, *instead as u64)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd;

    use super::*;

    /// The decoded form of a call by this process.
    fn decoded(number: libc::c_long, arguments: &[u64], files: &mut LockFiles) -> Option<Call> {
        let mut entry = Entry {
            number: number.cast_unsigned(),
            arguments: [0; 6],
        };
        entry.arguments[..arguments.len()].copy_from_slice(arguments);
        let system_call = SystemCall::find(entry.number).unwrap();
        decode(Pid::this(), system_call, &entry, files, true)
    }

    #[test]
    fn arguments_say_what_a_call_does() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = LockFiles::new(folder.path(), "lock-5eed").unwrap();
        let file = File::create(folder.path().join("a")).unwrap();
        let fd = file.as_raw_fd() as u64;
        let mut call = |number, arguments: &[u64]| {
            let call = decoded(number, arguments, &mut files)?;
            Some((call.operation, call.effect, call.target(), call.blocking))
        };
        let a = || "a".to_owned();
        let waits = Some((1, (libc::LOCK_EX | libc::LOCK_NB) as u64));
        assert_eq!(
            call(libc::SYS_flock, &[fd, libc::LOCK_EX as u64]),
            Some((Operation::Flock, Effect::Claim, a(), waits))
        );
        assert_eq!(
            call(libc::SYS_flock, &[fd, libc::LOCK_UN as u64]),
            Some((Operation::Funlock, Effect::Release, a(), None))
        );
        let record = |kind: i32| libc::flock {
            l_type: kind as i16,
            l_whence: 0,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        let (lock, unlock) = (record(libc::F_WRLCK), record(libc::F_UNLCK));
        let mut fcntl = |command: i32, record: &libc::flock| {
            let address = std::ptr::from_ref(record) as u64;
            call(libc::SYS_fcntl, &[fd, command as u64, address])
        };
        assert_eq!(
            fcntl(libc::F_OFD_SETLKW, &lock),
            Some((
                Operation::Lock,
                Effect::Claim,
                a(),
                Some((1, libc::F_OFD_SETLK as u64))
            ))
        );
        assert_eq!(
            fcntl(libc::F_SETLK, &unlock),
            Some((Operation::Unlock, Effect::Release, a(), None))
        );
        assert_eq!(fcntl(libc::F_GETFD, &lock), None);
        let path = std::ffi::CString::new(folder.path().join("b").to_str().unwrap()).unwrap();
        let path = path.as_ptr() as u64;
        let here = libc::AT_FDCWD as u64;
        let mut call = |number, arguments: &[u64]| {
            let call = decoded(number, arguments, &mut files)?;
            Some((call.operation, call.effect, call.target()))
        };
        let b = || "b".to_owned();
        assert_eq!(
            call(libc::SYS_openat, &[here, path, libc::O_CREAT as u64]),
            Some((Operation::Open, Effect::Modify, b()))
        );
        assert_eq!(
            call(libc::SYS_openat, &[here, path, libc::O_RDONLY as u64]),
            Some((Operation::Open, Effect::Observe, b()))
        );
        let removes = libc::AT_REMOVEDIR as u64;
        assert_eq!(
            call(libc::SYS_unlinkat, &[here, path, removes]),
            Some((Operation::Rmdir, Effect::Claim, b()))
        );
        let exchange = u64::from(libc::RENAME_EXCHANGE);
        assert_eq!(
            call(libc::SYS_renameat2, &[here, path, here, path, exchange]),
            Some((Operation::Exchange, Effect::Claim, "b -> b".to_owned()))
        );
        assert!(call(libc::SYS_kill, &[1, 0]).is_some());
        assert_eq!(call(libc::SYS_kill, &[1, 15]), None);
        assert_eq!(call(libc::SYS_dup3, &[fd, fd, 0]), None);
        assert_eq!(
            call(libc::SYS_close_range, &[fd, fd, 0]),
            Some((Operation::Close, Effect::Release, a()))
        );
        assert_eq!(call(libc::SYS_close, &[0]).map(|call| call.2), None);
    }
}
