"""zc.lockfile: flock without waiting, the process id in the file."""

import zc.lockfile
from lockutils_worker import serve


class Lock:
    def __init__(self, directory, name):
        self.path = f"{directory}/{name}"

    def try_acquire(self):
        try:
            self.lock = zc.lockfile.LockFile(self.path)
        except zc.lockfile.LockError:
            return False
        return True

    def release(self):
        self.lock.close()


serve(Lock)
