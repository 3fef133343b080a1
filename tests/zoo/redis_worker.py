"""redis-py's lock, with a lease of one second."""

import os

import redis
from lockutils_worker import serve


class Lock:
    forks = False

    def __init__(self, directory, name):
        client = redis.Redis(port=int(os.environ["ZOO_REDIS_PORT"]))
        self.lock = client.lock(name, timeout=1, sleep=0.002)

    def acquire(self):
        self.lock.acquire()

    def try_acquire(self):
        return self.lock.acquire(blocking=False)

    def release(self):
        self.lock.release()


serve(Lock)
