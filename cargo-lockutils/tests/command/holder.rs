//! A process that acquires one of the built-in locks, by the line protocol.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::project::until;

/// The process; killed and reaped when this is dropped.
pub struct Holder {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Holder {
    /// A worker for the lock `name` in `directory`; `builtin` is `oslo`, `flock`, `fcntl` or `ofd`.
    pub fn start(builtin: &str, directory: &Path, name: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cargo-lockutils"))
            .args(["builtin-worker", builtin])
            .env("LOCKUTILS_DIR", directory)
            .env("LOCKUTILS_NAME", name)
            .env("LOCKUTILS_THREADS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the worker starts");
        let mut holder = Holder {
            input: child.stdin.take().expect("piped"),
            output: BufReader::new(child.stdout.take().expect("piped")),
            child,
        };
        assert!(holder.answer().starts_with("ready"));
        holder
    }

    /// A worker that holds the lock.
    pub fn holding(builtin: &str, directory: &Path, name: &str) -> Self {
        let mut holder = Holder::start(builtin, directory, name);
        assert_eq!(holder.ask("acquire"), "0 acquired");
        holder
    }

    /// A worker that waits for the lock in the kernel.
    pub fn waiting(builtin: &str, directory: &Path, name: &str) -> Self {
        let mut holder = Holder::start(builtin, directory, name);
        holder.send("acquire");
        let tasks = format!("/proc/{}/task", holder.child.id());
        let calls = [nix::libc::SYS_fcntl, nix::libc::SYS_flock].map(|call| format!("{call} "));
        until("the process waits for the lock", || {
            std::fs::read_dir(&tasks)
                .ok()?
                .flatten()
                .filter_map(|task| std::fs::read_to_string(task.path().join("syscall")).ok())
                .any(|now| calls.iter().any(|call| now.starts_with(call)))
                .then_some(())
        });
        holder
    }

    pub fn pid(&self) -> i64 {
        self.child.id().into()
    }

    pub fn send(&mut self, verb: &str) {
        writeln!(self.input, "0 {verb}").expect("the worker listens");
    }

    pub fn answer(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("an answer");
        line.trim_end().to_owned()
    }

    pub fn ask(&mut self, verb: &str) -> String {
        self.send(verb);
        self.answer()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Creates empty files in a process of its own: a child that another test starts at the same time
/// could keep a descriptor of this process open until its exec.
pub fn touch(directory: &Path, files: &[&str]) {
    let mut touch = Command::new("touch");
    let status = touch.current_dir(directory).args(files).status().unwrap();
    assert!(status.success());
}

/// A process that has the file open for appending, like Python's oslo before it locks; it ends with
/// its input.
pub fn opener(file: &Path) -> Child {
    let mut child = Command::new("sh")
        .args(["-c", "exec 3>>\"$0\"; echo open; read _"])
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    output.read_line(&mut line).expect("a line");
    assert_eq!(line, "open\n");
    child
}
