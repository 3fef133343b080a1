//! Facilities that some system lacks, by name.

use std::io;

/// A means that a trial or a fault needs and that some system lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    /// fork(2).
    Fork,
    /// Signals that interrupt a wait, and those that stop and continue a process.
    Signals,
    /// Named pipes in the file system, and links to programs.
    NamedPipes,
    /// Limits of descriptors.
    DescriptorLimit,
    /// The number of files that a file system has room for.
    SmallDisks,
    /// A filter that makes the kernel refuse system calls.
    Refusal,
    /// The state of a thread of another process, or of this one.
    ThreadStates,
}

/// A means that this system lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not available on {}: it needs {needs}", std::env::consts::OS)]
pub(crate) struct NotAvailable {
    /// The missing means, as the end of a sentence.
    pub(crate) needs: &'static str,
}

impl From<NotAvailable> for io::Error {
    fn from(missing: NotAvailable) -> Self {
        io::Error::new(io::ErrorKind::Unsupported, missing)
    }
}

/// Returns the error if this system lacks the means.
pub(crate) fn lacks(means: Means) -> Option<NotAvailable> {
    let (has, needs) = match means {
        Means::Fork => (cfg!(unix), "fork(2)"),
        Means::Signals => (cfg!(unix), "signals"),
        Means::NamedPipes => (cfg!(unix), "named pipes (mkfifo(3))"),
        Means::DescriptorLimit => (cfg!(unix), "limits of descriptors (setrlimit(2))"),
        Means::SmallDisks => (
            cfg!(unix),
            "the size of a file system in files (statvfs(3))",
        ),
        Means::Refusal => (
            cfg!(target_os = "linux"),
            "seccomp(2), which only Linux has",
        ),
        Means::ThreadStates => (
            cfg!(target_os = "linux"),
            "the states of threads, which only Linux shows in /proc",
        ),
    };
    (!has).then_some(NotAvailable { needs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_an_error_of_one_line_that_names_it() {
        let missing = NotAvailable { needs: "fork(2)" };
        let text = missing.to_string();
        assert!(text.contains("fork(2)") && !text.contains('\n'), "{text}");
        assert_eq!(io::Error::from(missing).kind(), io::ErrorKind::Unsupported);
        assert_eq!(lacks(Means::Fork).is_some(), cfg!(windows));
    }
}
