//! OpenSSH's server on loopback, for the user who runs the tests, with keys of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use ssh2::Session;
use tempfile::TempDir;

use crate::debian;
use crate::until::until;

/// A server that accepts connections; it is stopped when this is dropped.
#[derive(Debug)]
pub struct Sshd {
    child: Child,
    port: u16,
    user: String,
    folder: TempDir,
}

impl Sshd {
    /// Starts a server; Debian's `openssh-server` is installed if it is missing.
    ///
    /// # Panics
    /// Panics if it cannot be installed or started.
    pub fn start() -> Self {
        let program = debian::provide("sshd", "openssh-server")
            .expect("on Debian: apt-get install openssh-server");
        debian::provide_folder(Path::new("/run/sshd"));
        let folder = tempfile::tempdir().expect("a folder");
        let user = User::from_uid(geteuid())
            .expect("users can be read")
            .expect("we are a user");
        for key in ["host", "user"] {
            make_key(&folder.path().join(key));
        }
        // Another process may take a port that was free. Then the server ends, and is started on
        // another port.
        let (child, port) = until("sshd listens", || listening(&program, folder.path()));
        Sshd {
            child,
            port,
            user: user.name,
            folder,
        }
    }

    /// Connects to the server and logs in with its key.
    ///
    /// # Panics
    /// Panics if that fails.
    pub fn connect(&self) -> Session {
        let mut session = Session::new().expect("a session");
        session.set_tcp_stream(TcpStream::connect(("127.0.0.1", self.port)).expect("it listens"));
        session.handshake().expect("it speaks SSH");
        let key = self.folder.path().join("user");
        session
            .userauth_pubkey_file(&self.user, None, &key, None)
            .unwrap_or_else(|error| panic!("{} is not let in: {error}", self.user));
        session
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = kill(
            Pid::from_raw(self.child.id().cast_signed()),
            Signal::SIGTERM,
        );
        let _ = self.child.wait();
    }
}

fn make_key(path: &Path) {
    let mut command = Command::new("ssh-keygen");
    command
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path);
    let status = command.status().expect("ssh-keygen comes with the server");
    assert!(status.success(), "{command:?}");
}

fn listening(program: &PathBuf, folder: &Path) -> Option<(Child, u16)> {
    let port = TcpListener::bind("127.0.0.1:0")
        .ok()?
        .local_addr()
        .ok()?
        .port();
    let config = folder.join("sshd_config");
    // bash reads ~/.bashrc when sshd starts it, and what that prints is part of the output.
    let home = folder.join("home");
    fs::create_dir_all(&home).expect("the folder is ours");
    let text = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {host}\nAuthorizedKeysFile {user}\n\
         PidFile none\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         PermitRootLogin prohibit-password\nMaxStartups 100\nMaxSessions 100\n\
         SetEnv HOME={home}\n",
        host = folder.join("host").display(),
        user = folder.join("user.pub").display(),
        home = home.display(),
    );
    fs::write(&config, text).expect("the folder is ours");
    let mut child = Command::new(program)
        .args(["-D", "-e", "-f"])
        .arg(&config)
        .stdin(Stdio::null())
        .stderr(fs::File::create(folder.join("log")).expect("the folder is ours"))
        .spawn()
        .expect("sshd can be run");
    let listens = until("sshd listens or ends", || {
        match child.try_wait().expect("it is our child") {
            Some(_) => Some(false),
            None => TcpStream::connect(("127.0.0.1", port))
                .is_ok()
                .then_some(true),
        }
    });
    listens.then_some((child, port))
}
