import fasteners
from lockutils_worker import serve


class Lock:
    def __init__(self, directory, name):
        self.path = f"{directory}/{name}"
        self.lock = fasteners.InterProcessLock(self.path)

    def acquire(self):
        self.lock.acquire(delay=0.002)

    def try_acquire(self):
        return self.lock.acquire(blocking=False)

    def release(self):
        self.lock.release()


serve(Lock)
