"""threading.Lock, which other processes cannot observe."""

import threading

from lockutils_worker import serve

LOCK = threading.Lock()


class Lock:
    forks = False

    def __init__(self, directory, name):
        pass

    def acquire(self):
        LOCK.acquire()

    def try_acquire(self):
        return LOCK.acquire(blocking=False)

    def acquire_timeout(self, seconds):
        return LOCK.acquire(timeout=seconds)

    def release(self):
        LOCK.release()


serve(Lock)
