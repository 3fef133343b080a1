"""The worker of the lock `@NAME@`. Acquire the lock here exactly as your program does."""

import fcntl
import os

from lockutils_worker import serve  # beside this file


class Lock:
    """This lock is flock(2). Use your library instead."""

    def __init__(self, directory, name):
        self.path = os.path.join(directory, name)

    def acquire(self):
        self.file = open(self.path, "a")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def try_acquire(self):
        file = open(self.path, "a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self.file = file
        return True

    def release(self):
        self.file.close()


serve(Lock)
