"""The worker of the lock `@NAME@`: take it in the very way in which your program does."""

import fcntl
import os

from lockutils_worker import serve  # beside this file


class Lock:
    """Here flock(2); put your library in its place."""

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
