//! A lock of a Python process: the one of fasteners if it is installed, else the same with the
//! standard library.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

const PROGRAM: &str = r#"
import fcntl, os, sys, time

class Plain:
    "As fasteners.InterProcessLock: a record lock, tried again after 10 ms, 20 ms, up to 100 ms."
    def __init__(self, path):
        self.file = open(path, "a")
    def acquire(self, blocking=True, timeout=None):
        start = time.monotonic()
        delay = 0.01
        while True:
            try:
                fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except (BlockingIOError, PermissionError):
                pass
            if not blocking:
                return False
            if timeout is not None:
                left = timeout - (time.monotonic() - start)
                if left <= 0:
                    return False
                time.sleep(min(delay, left))
            else:
                time.sleep(delay)
            delay = min(delay + 0.01, 0.1)
    def release(self):
        fcntl.lockf(self.file, fcntl.LOCK_UN)

try:
    from fasteners import InterProcessLock
except ImportError:
    InterProcessLock = Plain

lock = InterProcessLock(sys.argv[1])
for line in sys.stdin:
    verb, _, time_left = line.strip().partition(" ")
    try:
        if verb == "release":
            lock.release()
            answer = "released"
        elif verb == "try":
            answer = "acquired" if lock.acquire(blocking=False) else "refused"
        elif verb == "acquire":
            timeout = float(time_left) if time_left else None
            answer = "acquired" if lock.acquire(timeout=timeout) else "refused"
    except OSError as error:
        answer = "error %s" % error
    print(answer, flush=True)
"#;

pub struct Python(Mutex<Conversation>);

struct Conversation {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

pub fn make(directory: &Path) -> Python {
    let path: PathBuf = directory.join("lock");
    let mut child = Command::new("python3")
        .args(["-c", PROGRAM])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
    let output = BufReader::new(output);
    Python(Mutex::new(Conversation {
        child,
        input,
        output,
    }))
}

impl Conversation {
    fn ask(&mut self, what: &str) -> Result<String, Box<dyn Error>> {
        let input = self.input.as_mut().ok_or("it has ended")?;
        writeln!(input, "{what}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        match line.trim() {
            "" => Err("Python has ended".into()),
            line if line.starts_with("error") => Err(line.into()),
            line => Ok(line.to_owned()),
        }
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}

/// Releases even if the section panics.
struct Held<'a>(&'a mut Conversation);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let _ = self.0.ask("release");
    }
}

impl Lock for Python {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let mut conversation = self.0.lock().unwrap_or_else(|poison| poison.into_inner());
        let (what, refused) = match limit {
            WaitLimit::Forever => ("acquire".to_owned(), Answer::TimedOut),
            WaitLimit::NoWait => ("try".to_owned(), Answer::Busy),
            WaitLimit::AtMost(time) => {
                (format!("acquire {}", time.as_secs_f64()), Answer::TimedOut)
            }
        };
        if conversation.ask(&what)? != "acquired" {
            return Ok(refused);
        }
        let _held = Held(&mut conversation);
        section();
        Ok(Answer::Ran)
    }

    fn promises(&self, guarantee: Guarantee) -> bool {
        !matches!(
            guarantee,
            Guarantee::Reopening
                | Guarantee::ForkedRelease
                | Guarantee::ForkedSurvivor
                | Guarantee::ForkedLocking
                | Guarantee::Removal
                | Guarantee::Fairness
        )
    }
}
