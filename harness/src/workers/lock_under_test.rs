//! What the user names as the lock: a command line with placeholders.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::probe;

/// A lock that is tried.
#[derive(Clone, Debug)]
pub struct LockUnderTest {
    kind: Kind,
    words: Vec<String>,
    /// Our own program: the adapter of a wrapper, the worker of a built-in, the probe.
    ours: PathBuf,
}

#[derive(Clone, Debug)]
enum Kind {
    Worker,
    Wrapper { busy_status: Option<u8> },
    Builtin,
}

/// The hidden subcommand of our own program that turns a wrapper into a worker.
pub const WRAPPER_ADAPTER: &str = "wrapper-worker";
/// The hidden subcommand of our own program that is the worker of a built-in lock.
pub const BUILTIN_WORKER: &str = "builtin-worker";

/// What is wrong with the lock's command line.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// Nothing was given.
    #[error(
        "no lock is named: give a worker after `--`, or `--wrapper -- COMMAND`, or `--builtin NAME`"
    )]
    Empty,
    /// A wrapper has to run something.
    #[error(
        "the wrapper command has no {{cmd}}: write it where the command goes, as in `--wrapper -- flock {{lock}} {{cmd}}`"
    )]
    NoCommand,
    /// The program is not there.
    #[error("{program} was not found: check its spelling and PATH")]
    NotFound {
        /// As it was written.
        program: String,
    },
    /// The program may not be run.
    #[error(
        "{program} cannot be executed: is it a program, and executable (chmod +x)? A script can be given to its interpreter, as in `-- python3 {program}`"
    )]
    NotExecutable {
        /// As it was written.
        program: String,
    },
}

/// Where one worker works.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its number, from 0.
    pub number: usize,
    /// The directory of the locks.
    pub directory: PathBuf,
    /// The name of the lock.
    pub name: String,
    /// A directory of its own, not for locks.
    pub control: PathBuf,
    /// Slots.
    pub threads: usize,
    /// For the worker's own random numbers.
    pub seed: u64,
}

impl LockUnderTest {
    /// A program that speaks the line protocol.
    ///
    /// # Errors
    /// If it cannot be found.
    pub fn worker(words: Vec<String>) -> Result<Self, UsageError> {
        Self::checked(Kind::Worker, words, PathBuf::new())
    }

    /// A command that runs another one, `{cmd}`, while it holds the lock. `ours` is a program that obeys [`WRAPPER_ADAPTER`] and
    /// is a [probe](super::probe) when it is called so; `busy_status` is the exit status with which the wrapper says that it did not get the lock.
    ///
    /// # Errors
    /// If it cannot be found, or has no `{cmd}`.
    pub fn wrapper(
        words: Vec<String>,
        busy_status: Option<u8>,
        ours: PathBuf,
    ) -> Result<Self, UsageError> {
        if !words.is_empty() && !words.iter().any(|word| word.contains("{cmd}")) {
            return Err(UsageError::NoCommand);
        }
        Self::checked(Kind::Wrapper { busy_status }, words, ours)
    }

    /// One of the locks that `ours` brings along, as [`BUILTIN_WORKER`].
    pub fn builtin(name: &str, ours: PathBuf) -> Self {
        LockUnderTest {
            kind: Kind::Builtin,
            words: vec![name.to_owned()],
            ours,
        }
    }

    /// The opposite of [`arguments`](Self::arguments).
    ///
    /// # Errors
    /// If it is nothing of the kind, or the lock cannot be found.
    pub fn from_arguments(text: &str, ours: PathBuf) -> Result<Self, UsageError> {
        let words = shell_words::split(text).map_err(|_| UsageError::Empty)?;
        let mut words = words.into_iter();
        let mut busy_status = None;
        let mut wrapper = false;
        while let Some(word) = words.next() {
            match word.as_str() {
                "--builtin" => return Ok(Self::builtin(&words.next().unwrap_or_default(), ours)),
                "--wrapper" => wrapper = true,
                "--busy-status" => {
                    busy_status = words.next().and_then(|status| status.parse().ok())
                }
                _ => break,
            }
        }
        match wrapper {
            true => Self::wrapper(words.collect(), busy_status, ours),
            false => Self::worker(words.collect()),
        }
    }

    fn checked(kind: Kind, words: Vec<String>, ours: PathBuf) -> Result<Self, UsageError> {
        let program = words.first().ok_or(UsageError::Empty)?;
        if !program.contains('{') {
            check_program(program)?;
        }
        Ok(LockUnderTest { kind, words, ours })
    }

    /// As it stands on the command line of `cargo lockutils stress`, quoted for a shell.
    pub fn arguments(&self) -> String {
        match &self.kind {
            Kind::Worker => format!("-- {}", shell_words::join(&self.words)),
            Kind::Wrapper { busy_status } => {
                let status =
                    busy_status.map_or_else(String::new, |s| format!("--busy-status {s} "));
                format!("--wrapper {status}-- {}", shell_words::join(&self.words))
            }
            Kind::Builtin => format!("--builtin {}", self.words[0]),
        }
    }

    /// For a headline.
    pub fn title(&self) -> String {
        match &self.kind {
            Kind::Builtin => format!("{} (built in)", self.words[0]),
            _ => shell_words::join(&self.words),
        }
    }

    /// `worker`, `wrapper` or `builtin`.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Worker => "worker",
            Kind::Wrapper { .. } => "wrapper",
            Kind::Builtin => "builtin",
        }
    }

    /// The command that starts a worker.
    pub fn command(&self, place: &Place) -> Command {
        let mut words = self.words.iter().map(|word| fill(word, place));
        let mut command = match &self.kind {
            Kind::Worker => Command::new(words.next().unwrap_or_default()),
            Kind::Wrapper { busy_status } => {
                let mut command = Command::new(&self.ours);
                command.arg(WRAPPER_ADAPTER);
                if let Some(status) = busy_status {
                    command.arg(format!("--busy-status={status}"));
                }
                command.arg("--");
                command
            }
            Kind::Builtin => {
                let mut command = Command::new(&self.ours);
                command.arg(BUILTIN_WORKER);
                command
            }
        };
        command
            .args(words)
            .env("OSLO_LOCK_PATH", &place.directory)
            .env("LOCKUTILS_DIR", &place.directory)
            .env("LOCKUTILS_NAME", &place.name)
            .env("LOCKUTILS_THREADS", place.threads.to_string())
            .env("LOCKUTILS_SEED", format!("{:#x}", place.seed))
            .env("LOCKUTILS_WORKER", place.number.to_string())
            .env(probe::CONTROL, &place.control);
        command
    }
}

fn fill(word: &str, place: &Place) -> OsString {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    word.replace("{lock}", &text(&place.directory.join(&place.name)))
        .replace("{dir}", &text(&place.directory))
        .replace("{name}", &place.name)
        .replace("{worker}", &place.number.to_string())
        .replace("{cmd}", &text(&place.control.join(probe::NAME)))
        .into()
}

fn check_program(program: &str) -> Result<(), UsageError> {
    let is_executable = |path: &Path| {
        path.metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let path = Path::new(program);
    if program.contains('/') {
        return match path.exists() {
            _ if is_executable(path) => Ok(()),
            true => Err(UsageError::NotExecutable {
                program: program.to_owned(),
            }),
            false => Err(UsageError::NotFound {
                program: program.to_owned(),
            }),
        };
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    match std::env::split_paths(&folders).any(|folder| is_executable(&folder.join(program))) {
        true => Ok(()),
        false => Err(UsageError::NotFound {
            program: program.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn placeholders_are_filled_in_wherever_they_stand() {
        let place = Place {
            number: 3,
            directory: "/run/d".into(),
            name: "lock-1".into(),
            control: "/run/c".into(),
            threads: 1,
            seed: 1,
        };
        let lock =
            LockUnderTest::worker(words("sh -c x={lock}:{dir}:{name}:{worker}:{other}")).unwrap();
        let command = lock.command(&place);
        let last = command.get_args().last().unwrap();
        assert_eq!(last, "x=/run/d/lock-1:/run/d:lock-1:3:{other}");
        assert_eq!(
            lock.arguments(),
            "-- sh -c 'x={lock}:{dir}:{name}:{worker}:{other}'"
        );
    }

    #[test]
    fn a_lock_is_read_as_it_was_written() {
        let ours = PathBuf::from("ours");
        for lock in [
            LockUnderTest::worker(words("sh -c x;y")).unwrap(),
            LockUnderTest::wrapper(words("sh -c {cmd}"), Some(1), ours.clone()).unwrap(),
            LockUnderTest::builtin("flock", ours.clone()),
        ] {
            let again = LockUnderTest::from_arguments(&lock.arguments(), ours.clone()).unwrap();
            assert_eq!(
                (again.arguments(), again.kind()),
                (lock.arguments(), lock.kind())
            );
        }
    }

    #[test]
    fn a_command_that_cannot_work_is_refused_with_what_to_do() {
        let ours = PathBuf::from("ours");
        assert!(matches!(
            LockUnderTest::worker(vec![]),
            Err(UsageError::Empty)
        ));
        let wrapper = LockUnderTest::wrapper(words("flock {lock}"), None, ours.clone());
        assert!(matches!(wrapper, Err(UsageError::NoCommand)));
        let missing = LockUnderTest::wrapper(words("no-such-lock {cmd}"), None, ours).unwrap_err();
        assert!(
            missing
                .to_string()
                .starts_with("no-such-lock was not found")
        );
        let script = tempfile::NamedTempFile::new().unwrap();
        let file =
            LockUnderTest::worker(vec![script.path().to_str().unwrap().to_owned()]).unwrap_err();
        assert!(matches!(file, UsageError::NotExecutable { .. }));
    }
}
