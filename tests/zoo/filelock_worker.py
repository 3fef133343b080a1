"""filelock's locks; the argument selects one."""

import sys

import filelock
from lockutils_worker import serve


class Lock:
    def __init__(self, directory, name):
        self.path = f"{directory}/{name}"
        self.lock = getattr(filelock, sys.argv[1])(self.path)

    def acquire(self):
        self.lock.acquire(poll_interval=0.002)

    def try_acquire(self):
        try:
            self.lock.acquire(timeout=0)
            return True
        except filelock.Timeout:
            return False

    def release(self):
        self.lock.release()


serve(Lock)
