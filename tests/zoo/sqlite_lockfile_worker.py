"""lockfile.SQLiteLockFile: a row in a database that each process creates for itself."""

from lockfile import AlreadyLocked, LockFailed
from lockfile.sqlitelockfile import SQLiteLockFile
from lockutils_worker import serve


class Lock:
    def __init__(self, directory, name):
        self.lock = SQLiteLockFile(f"{directory}/{name}")

    def acquire(self):
        self.lock.acquire()

    def try_acquire(self):
        try:
            self.lock.acquire(timeout=0)
        except (AlreadyLocked, LockFailed):
            return False
        return True

    def release(self):
        self.lock.release()


serve(Lock)
