from ilock import ILock, ILockException
from lockutils_worker import serve


class Lock:
    def __init__(self, directory, name):
        self.directory, self.name = directory, name

    def _enter(self, timeout):
        held = ILock(
            self.name, timeout=timeout, check_interval=0.002, lock_directory=self.directory
        )
        held.__enter__()
        self.held = held

    def acquire(self):
        self._enter(None)

    def try_acquire(self):
        try:
            self._enter(0)
            return True
        except ILockException:
            return False

    def release(self):
        self.held.__exit__(None, None, None)


serve(Lock)
