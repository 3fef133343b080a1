from lockfile import AlreadyLocked
from lockfile.mkdirlockfile import MkdirLockFile
from lockutils_worker import serve


class Lock:
    def __init__(self, directory, name):
        self.lock = MkdirLockFile(f"{directory}/{name}")

    def acquire(self):
        self.lock.acquire()

    def try_acquire(self):
        try:
            self.lock.acquire(timeout=0)
            return True
        except AlreadyLocked:
            return False

    def release(self):
        self.lock.release()


serve(Lock)
