//! The lock under test: a command line with placeholders.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::names;
use crate::model::{Capabilities, Lock};
use crate::sys::program::is_executable;
use crate::sys::{Means, lacks};

/// A lock under test.
#[derive(Clone, Debug)]
pub struct LockUnderTest {
    kind: Kind,
    words: Vec<String>,
    /// The program that acts as adapter of a wrapper, as worker of a built-in lock and as probe.
    ours: PathBuf,
    /// Host and port of the server that the workers use.
    server: Option<String>,
    /// Further variables for the workers.
    environment: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
enum Kind {
    Worker,
    Wrapper { busy_status: Option<u8> },
    Builtin,
}

/// Hidden subcommand of this program that turns a wrapper into a worker.
pub const WRAPPER_ADAPTER: &str = "wrapper-worker";
/// Hidden subcommand of this program that is the worker of a built-in lock.
pub const BUILTIN_WORKER: &str = "builtin-worker";

/// A command line that names no usable lock.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// It is empty.
    #[error(
        "no lock to test: give a worker after `--`, `--wrapper -- COMMAND`, or `--builtin NAME`"
    )]
    Empty,
    /// The wrapper runs no command.
    #[error(
        "the wrapper command has no {{cmd}}: write {{cmd}} in place of the command to run under \
         the lock, as in `--wrapper -- flock {{lock}} {{cmd}}`"
    )]
    NoCommand,
    /// The program does not exist.
    #[error("{program} was not found: check {}", place(program))]
    NotFound {
        /// Its name, as given.
        program: String,
    },
    /// Wrappers are not available on this system.
    #[error(
        "--wrapper is not available on {}: it needs named pipes and links. Write a worker instead",
        std::env::consts::OS
    )]
    NoWrappers,
    /// The program is not executable.
    #[error(
        "{program} is not an executable file: make it one (chmod +x), or name its interpreter, as \
         in `-- python3 {program}`"
    )]
    NotExecutable {
        /// Its name, as given.
        program: String,
    },
}

/// Directories, name and number of one worker.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Number of the worker, from 0.
    pub number: usize,
    /// Directory of the locks.
    pub directory: PathBuf,
    /// Name of the lock.
    pub name: String,
    /// Directory of the worker's own pipes.
    pub control: PathBuf,
    /// Number of slots.
    pub threads: usize,
    /// Seed for the worker's own random numbers.
    pub seed: u64,
}

impl LockUnderTest {
    /// A program that speaks the line protocol.
    ///
    /// # Errors
    /// Returns an error if the program cannot be found.
    pub fn worker(words: Vec<String>) -> Result<Self, UsageError> {
        Self::checked(Kind::Worker, words, PathBuf::new())
    }

    /// A command that runs another one, `{cmd}`, while it holds the lock.
    ///
    /// `ours` is a program that obeys [`WRAPPER_ADAPTER`] and acts as a [probe](super::probe) when
    /// called by that name. The wrapper exits with `busy_status` if it did not get the lock.
    ///
    /// # Errors
    /// Returns an error if the program cannot be found, or the command has no `{cmd}`, or on a
    /// system without wrappers.
    pub fn wrapper(
        words: Vec<String>,
        busy_status: Option<u8>,
        ours: PathBuf,
    ) -> Result<Self, UsageError> {
        if lacks(Means::NamedPipes).is_some() {
            return Err(UsageError::NoWrappers);
        }
        if !words.is_empty() && !words.iter().any(|word| word.contains("{cmd}")) {
            return Err(UsageError::NoCommand);
        }
        Self::checked(Kind::Wrapper { busy_status }, words, ours)
    }

    /// A lock of `ours`, by way of [`BUILTIN_WORKER`].
    pub fn builtin(name: &str, ours: PathBuf) -> Self {
        LockUnderTest {
            kind: Kind::Builtin,
            words: vec![name.to_owned()],
            ours,
            server: None,
            environment: Vec::new(),
        }
    }

    /// Tells the workers of a server, whose host and port replace `{server}`.
    pub fn on_server(self, address: &str, environment: Vec<(String, String)>) -> Self {
        LockUnderTest {
            server: Some(address.to_owned()),
            environment,
            ..self
        }
    }

    /// Parses the output of [`arguments`](Self::arguments).
    ///
    /// # Errors
    /// Returns an error if the text names no lock, or the program cannot be found.
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
        Ok(LockUnderTest {
            kind,
            words,
            ours,
            server: None,
            environment: Vec::new(),
        })
    }

    /// The arguments of `cargo lockutils stress` that name the lock, quoted for a shell.
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

    /// The name in a headline.
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

    /// The lock for a report. `capabilities` are those that a worker has offered.
    pub fn described(&self, capabilities: &Capabilities) -> Lock {
        Lock {
            kind: self.kind().into(),
            title: self.title(),
            arguments: self.arguments(),
            offers: capabilities.words().into_iter().map(Into::into).collect(),
        }
    }

    /// The command that starts a worker.
    pub fn command(&self, config: &WorkerConfig) -> Command {
        let server = self.server.as_deref().unwrap_or("{server}");
        let words = self
            .words
            .iter()
            .map(|word| word.replace("{server}", server));
        let mut words = words.map(|word| fill(&word, config));
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
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("OSLO_LOCK_PATH", &config.directory)
            .env("LOCKUTILS_DIR", &config.directory)
            .env("LOCKUTILS_NAME", &config.name)
            .env("LOCKUTILS_THREADS", config.threads.to_string())
            .env("LOCKUTILS_SEED", format!("{:#x}", config.seed))
            .env("LOCKUTILS_WORKER", config.number.to_string())
            .env(names::CONTROL, &config.control);
        command
    }
}

fn fill(word: &str, config: &WorkerConfig) -> OsString {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    word.replace("{lock}", &text(&config.directory.join(&config.name)))
        .replace("{dir}", &text(&config.directory))
        .replace("{name}", &config.name)
        .replace("{worker}", &config.number.to_string())
        .replace("{cmd}", &text(&config.control.join(names::NAME)))
        .into()
}

/// Advice for a program that was not found.
fn place(program: &str) -> &'static str {
    match program.contains('/') {
        true => "the path",
        false => "the spelling and PATH",
    }
}

fn check_program(program: &str) -> Result<(), UsageError> {
    let path = Path::new(program);
    if program.contains(std::path::is_separator) {
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

    /// A program that every system has.
    const SHELL: &str = if cfg!(windows) { "cmd" } else { "sh" };

    fn words(text: &str) -> Vec<String> {
        text.split(' ')
            .map(|word| word.replace("sh", SHELL))
            .collect()
    }

    #[test]
    fn placeholders_are_filled_in_wherever_they_stand() {
        let config = WorkerConfig {
            number: 3,
            directory: "/run/d".into(),
            name: "lock-1".into(),
            control: "/run/c".into(),
            threads: 1,
            seed: 1,
        };
        let lock =
            LockUnderTest::worker(words("sh -c x={lock}:{dir}:{name}:{worker}:{other}")).unwrap();
        let command = lock.command(&config);
        let last = command.get_args().last().unwrap();
        let file = config.directory.join("lock-1");
        let expected = format!("x={}:/run/d:lock-1:3:{{other}}", file.display());
        assert_eq!(last, &*expected);
        assert_eq!(
            lock.arguments(),
            format!("-- {SHELL} -c 'x={{lock}}:{{dir}}:{{name}}:{{worker}}:{{other}}'")
        );
    }

    #[test]
    fn a_lock_is_read_as_it_was_written() {
        let ours = PathBuf::from("ours");
        let wrapper = LockUnderTest::wrapper(words("sh -c {cmd}"), Some(1), ours.clone());
        assert_eq!(wrapper.is_err(), lacks(Means::NamedPipes).is_some());
        let worker = LockUnderTest::worker(words("sh -c x;y")).unwrap();
        let builtin = LockUnderTest::builtin("flock", ours.clone());
        for lock in [worker, builtin].into_iter().chain(wrapper.ok()) {
            let again = LockUnderTest::from_arguments(&lock.arguments(), ours.clone()).unwrap();
            assert_eq!(
                (again.arguments(), again.kind()),
                (lock.arguments(), lock.kind())
            );
        }
    }

    #[test]
    fn an_unusable_command_is_refused_with_advice() {
        assert!(matches!(
            LockUnderTest::worker(vec![]),
            Err(UsageError::Empty)
        ));
        let missing = LockUnderTest::worker(words("no-such-lock x")).unwrap_err();
        assert!(
            missing
                .to_string()
                .starts_with("no-such-lock was not found")
        );
        let script = tempfile::NamedTempFile::new().unwrap();
        let file =
            LockUnderTest::worker(vec![script.path().to_str().unwrap().to_owned()]).unwrap_err();
        assert!(matches!(file, UsageError::NotExecutable { .. }));
        let wrapper = LockUnderTest::wrapper(words("sh {lock}"), None, PathBuf::from("ours"));
        match lacks(Means::NamedPipes) {
            None => assert!(matches!(wrapper, Err(UsageError::NoCommand))),
            Some(_) => assert!(matches!(wrapper, Err(UsageError::NoWrappers))),
        }
    }
}
