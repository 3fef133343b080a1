import portalocker
from lockutils_worker import serve


class Lock:
    def __init__(self, directory, name):
        self.path = f"{directory}/{name}"
        self.lock = portalocker.Lock(self.path, timeout=1e6, check_interval=0.002)

    def acquire(self):
        self.lock.acquire()

    def try_acquire(self):
        try:
            self.lock.acquire(fail_when_locked=True)
            return True
        except portalocker.LockException:
            return False

    def release(self):
        self.lock.release()


serve(Lock)
