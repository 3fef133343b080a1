//! Workers that poll without a pause.

use super::{explore_worker, project, tells};

const SPINS: &str = "
import os
from lockutils_worker import serve
class Lock:
    def __init__(self, directory, name):
        self.path = directory + '/lock'
        self.own = self.path + str(os.getpid())
    def acquire(self):
        while not self.try_acquire():
            pass
    def try_acquire(self):
        TRY
    def release(self):
        os.unlink(self.path)
serve(Lock)
";

const LOOKS: &str = "
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL))
            return True
        except FileExistsError:
            return False
";

/// Something has changed at every poll.
const MAKES_ITS_OWN_FILE: &str = "
        os.close(os.open(self.own, os.O_CREAT))
        try:
            os.link(self.own, self.path)
            return True
        except FileExistsError:
            return False
        finally:
            os.unlink(self.own)
";

#[track_caller]
fn is_explored(attempt: &str) {
    let project = project(&SPINS.replace("TRY", attempt.trim()));
    let output = explore_worker(
        &project,
        &["--scenario", "contend,die", "--schedules", "30"],
    );
    tells(
        &output,
        3,
        &[
            "✔ contend   no violation found: 30 schedules",
            "✘ die       stuck after 1 schedule",
            "none got the lock in 12 s of real time either",
        ],
    );
    let again = project.run(&["replay", "lockutils-die.txt"]);
    tells(&again, 3, &["1 of 1 runs reached the violation"]);
}

#[test]
fn one_that_only_looks() {
    is_explored(LOOKS);
}

#[test]
fn one_that_makes_a_file_each_time() {
    is_explored(MAKES_ITS_OWN_FILE);
}
