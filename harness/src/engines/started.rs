//! The process of a server that was started for a run.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::error::ServerError;
use super::programs;
use crate::sys::program::{Program, describe, wait_for};

/// Time within which a server must be ready.
const START_UP: Duration = Duration::from_secs(60);
/// Time within which it must end.
const GRACE: Duration = Duration::from_secs(3);
/// Number of attempts: another process may take the port first.
const ATTEMPTS: usize = 3;

/// A server process with a directory of its own.
#[derive(Debug)]
pub struct Started {
    program: Program,
    /// Its last output.
    output: Vec<u8>,
    pub port: u16,
    _directory: tempfile::TempDir,
}

impl Drop for Started {
    fn drop(&mut self) {
        self.program.interrupt();
        let deadline = Instant::now() + GRACE;
        while !self.program.is_over() && Instant::now() < deadline {
            self.drain();
            wait_for(&self.program, Duration::from_millis(10));
        }
        self.program.kill();
    }
}

impl Started {
    /// Starts a server below `base`, and waits until `is_ready`.
    pub fn start(
        engine: &Engine,
        base: &Path,
        is_ready: impl Fn(u16) -> bool,
    ) -> Result<Self, ServerError> {
        let mut last = ServerError::NotReady {
            engine: engine.name.clone(),
            why: "no port is free".to_owned(),
        };
        for _ in 0..ATTEMPTS {
            match Self::try_start(engine, base, &is_ready) {
                Err(error @ ServerError::NotReady { .. }) => last = error,
                other => return other,
            }
        }
        Err(last)
    }

    fn try_start(
        engine: &Engine,
        base: &Path,
        is_ready: &impl Fn(u16) -> bool,
    ) -> Result<Self, ServerError> {
        let failed = |error: io::Error| ServerError::Start {
            engine: engine.name.clone(),
            error,
        };
        if let Some(file) = engine.files.iter().find(|file| !file.exists()) {
            return Err(missing(engine, &file.to_string_lossy()));
        }
        let user = Unprivileged::of(engine).map_err(failed)?;
        let directory = user.directory(base).map_err(failed)?;
        let port = free_port().map_err(failed)?;
        let fill = |word: &String| {
            word.replace("{port}", &port.to_string())
                .replace("{port2}", &free_port().unwrap_or(0).to_string())
                .replace("{directory}", &directory.path().to_string_lossy())
        };
        let command = |words: &[String]| {
            let (name, arguments) = words.split_first().ok_or_else(|| missing(engine, ""))?;
            let program = programs::find(name, &engine.folders);
            let program = program.ok_or_else(|| missing(engine, name))?;
            let mut command = user.command(program);
            command
                .args(arguments.iter().map(fill))
                .current_dir(directory.path());
            Ok::<_, ServerError>(command)
        };
        for words in &engine.prepare {
            let output = command(words)?
                .stdin(Stdio::null())
                .output()
                .map_err(failed)?;
            if !output.status.success() {
                return Err(ServerError::Prepare {
                    engine: engine.name.clone(),
                    program: words.first().cloned().unwrap_or_default(),
                    why: last_line(&[output.stdout, output.stderr].concat()),
                });
            }
        }
        let mut started = Started {
            program: Program::start(command(&engine.start)?).map_err(failed)?,
            output: Vec::new(),
            port,
            _directory: directory,
        };
        let deadline = Instant::now() + START_UP;
        let not_ready = |why: String| ServerError::NotReady {
            engine: engine.name.clone(),
            why,
        };
        loop {
            started.drain();
            if let Some(status) = started.program.status() {
                started.drain();
                let why = format!("it {}: {}", describe(status), last_line(&started.output));
                return Err(not_ready(why));
            }
            if is_ready(port) {
                return Ok(started);
            }
            if Instant::now() > deadline {
                let seconds = START_UP.as_secs();
                let why = format!("{seconds} s have passed; {}", last_line(&started.output));
                return Err(not_ready(why));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its process number.
    pub fn process(&self) -> u32 {
        self.program.id()
    }

    /// Reads what it has printed, so that it never waits for a reader.
    pub fn drain(&mut self) {
        const KEPT: usize = 8 * 1024;
        let mut buffer = [0; 16 * 1024];
        while let Some(Ok(length @ 1..)) = self.program.read_output(&mut buffer) {
            self.output.extend_from_slice(&buffer[..length]);
        }
        while let Some(Ok(length @ 1..)) = self.program.read_errors(&mut buffer) {
            self.output.extend_from_slice(&buffer[..length]);
        }
        let excess = self.output.len().saturating_sub(KEPT);
        self.output.drain(..excess);
    }
}

fn missing(engine: &Engine, program: &str) -> ServerError {
    ServerError::Missing {
        engine: engine.name.clone(),
        program: program.to_owned(),
        package: engine.package.clone(),
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn last_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.unwrap_or("it printed nothing").trim().to_owned()
}

/// The user as which a program runs that refuses to run as root: user and group number.
struct Unprivileged(Option<(u32, u32)>);

impl Unprivileged {
    /// The engine's user, if this process is root.
    #[cfg(unix)]
    fn of(engine: &Engine) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let owner = tempfile::tempfile()?.metadata()?.uid();
        match &engine.user {
            Some(user) if owner == 0 => Ok(Unprivileged(Some(account(user)?))),
            _ => Ok(Unprivileged(None)),
        }
    }

    #[cfg(not(unix))]
    fn of(_: &Engine) -> io::Result<Self> {
        Ok(Unprivileged(None))
    }

    /// A new directory that the user can reach: below `base`, unless it is another user.
    #[cfg(unix)]
    fn directory(&self, base: &Path) -> io::Result<tempfile::TempDir> {
        let Some((uid, gid)) = &self.0 else {
            fs::create_dir_all(base)?;
            return tempfile::tempdir_in(base);
        };
        let directory = tempfile::tempdir()?;
        std::os::unix::fs::chown(directory.path(), Some(*uid), Some(*gid))?;
        Ok(directory)
    }

    #[cfg(not(unix))]
    fn directory(&self, base: &Path) -> io::Result<tempfile::TempDir> {
        fs::create_dir_all(base)?;
        tempfile::tempdir_in(base)
    }

    fn command(&self, program: PathBuf) -> Command {
        let Some((uid, gid)) = &self.0 else {
            return Command::new(program);
        };
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--reuid={uid}"))
            .arg(format!("--regid={gid}"))
            // A change of user cancels the signal that ends the server with this process.
            .args(["--clear-groups", "--pdeathsig=KILL", "--"])
            .arg(program);
        command
    }
}

/// User and group number of a user, from /etc/passwd.
#[cfg(unix)]
fn account(user: &str) -> io::Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd")?;
    let found = users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let number = |at: usize| fields.get(at)?.parse().ok();
        (fields.first() == Some(&user)).then(|| Some((number(2)?, number(3)?)))?
    });
    found.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("there is no user `{user}`"),
        )
    })
}
