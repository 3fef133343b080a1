"""fasteners.InterProcessReaderWriterLock: fcntl record locks, shared or not."""

from fasteners import InterProcessReaderWriterLock
from lockutils_worker import serve


class Lock:
    def __init__(self, directory, name):
        self.path = f"{directory}/{name}"
        self.lock = InterProcessReaderWriterLock(self.path)

    def acquire(self):
        self.lock.acquire_write_lock()
        self.release = self.lock.release_write_lock

    def try_acquire(self):
        self.release = self.lock.release_write_lock
        return self.lock.acquire_write_lock(blocking=False)

    def read(self):
        self.lock.acquire_read_lock()
        self.release = self.lock.release_read_lock

    def try_read(self):
        self.release = self.lock.release_read_lock
        return self.lock.acquire_read_lock(blocking=False)


serve(Lock)
