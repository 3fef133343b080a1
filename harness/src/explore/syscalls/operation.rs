//! Operations of system calls, as named in counterexamples.

/// An operation; several system calls may share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Access,
    Chmod,
    Close,
    Copy,
    Disconnect,
    Exchange,
    Fallocate,
    Flock,
    Fstat,
    Funlock,
    Getxattr,
    Kill,
    Lease,
    Link,
    List,
    Lock,
    Lstat,
    Mkdir,
    Mknod,
    Open,
    Read,
    Readlink,
    Rename,
    Request,
    Rmdir,
    Setxattr,
    Sleep,
    Stat,
    Symlink,
    Truncate,
    Unlink,
    Unlock,
    Utime,
    Write,
}

impl Operation {
    /// The name for display.
    pub fn word(self) -> &'static str {
        match self {
            Operation::Access => "access",
            Operation::Chmod => "chmod",
            Operation::Close => "close",
            Operation::Copy => "copy",
            Operation::Disconnect => "disconnect",
            Operation::Exchange => "exchange",
            Operation::Fallocate => "fallocate",
            Operation::Flock => "flock",
            Operation::Fstat => "fstat",
            Operation::Funlock => "funlock",
            Operation::Getxattr => "getxattr",
            Operation::Kill => "kill",
            Operation::Lease => "lease",
            Operation::Link => "link",
            Operation::List => "list",
            Operation::Lock => "lock",
            Operation::Lstat => "lstat",
            Operation::Mkdir => "mkdir",
            Operation::Mknod => "mknod",
            Operation::Open => "open",
            Operation::Read => "read",
            Operation::Readlink => "readlink",
            Operation::Rename => "rename",
            Operation::Request => "request",
            Operation::Rmdir => "rmdir",
            Operation::Setxattr => "setxattr",
            Operation::Sleep => "sleep",
            Operation::Stat => "stat",
            Operation::Symlink => "symlink",
            Operation::Truncate => "truncate",
            Operation::Unlink => "unlink",
            Operation::Unlock => "unlock",
            Operation::Utime => "utime",
            Operation::Write => "write",
        }
    }

    /// Returns `true` if a name is moved, linked or removed, which may affect another name of the
    /// file.
    pub fn rebinds_names(self) -> bool {
        matches!(
            self,
            Operation::Rename
                | Operation::Exchange
                | Operation::Link
                | Operation::Unlink
                | Operation::Symlink
        )
    }

    /// Returns `true` for operations on a kernel lock: any locked file may be the lock, wherever it
    /// is.
    pub fn is_kernel_lock(self) -> bool {
        self.changes_holder() || self == Operation::Lease
    }

    /// Returns `true` if a kernel lock is taken or released, which no listing of the directory
    /// shows.
    pub fn changes_holder(self) -> bool {
        matches!(
            self,
            Operation::Flock | Operation::Funlock | Operation::Lock | Operation::Unlock
        )
    }

    /// Returns `true` if no listing of a directory can be different afterwards.
    pub fn keeps_files(self) -> bool {
        self.is_kernel_lock() || matches!(self, Operation::Close | Operation::Kill)
    }

    /// Returns `true` for operations on a server.
    pub fn is_on_server(self) -> bool {
        matches!(self, Operation::Request | Operation::Disconnect)
    }

    /// Returns `true` if repeated calls continue each other. Some programs, such as shells, read
    /// byte by byte.
    pub fn reads_in_pieces(self) -> bool {
        matches!(self, Operation::Read | Operation::List)
    }
}
