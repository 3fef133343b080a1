"""Locks on Redis, by name: sound ones and ones with a well-known race."""

import os
import sys
import time
import uuid

import redis
from lockutils_worker import serve

LEASE = 10_000  # milliseconds
TAKE = """
if redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
    return redis.call('incr', KEYS[2])
end
return false
"""
RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class Lock:
    forks = True

    def __init__(self, directory, name):
        host, port = os.environ["LOCKUTILS_SERVERS"].rsplit(":", 1)
        self.client = redis.Redis(host=host, port=int(port), decode_responses=True)
        self.key = name
        self.mine = uuid.UUID(int=os.getpid()).hex

    def acquire(self):
        while not self.try_acquire():
            time.sleep(0.01)

    def take(self):
        return self.client.set(self.key, self.mine, nx=True, px=LEASE)


class GetThenDel(Lock):
    """Releases by GET and DEL: the lease may run out in between."""

    try_acquire = Lock.take

    def release(self):
        if self.client.get(self.key) == self.mine:
            self.client.delete(self.key)


class Delete(Lock):
    """Releases by DEL, whoever has the lock by then."""

    try_acquire = Lock.take

    def release(self):
        self.client.delete(self.key)


class Watch(Lock):
    """Watches the key, but writes without MULTI and EXEC, so nothing fails."""

    def try_acquire(self):
        with self.client.pipeline() as pipeline:
            pipeline.watch(self.key)
            if pipeline.get(self.key) is not None:
                return False
            return bool(pipeline.set(self.key, self.mine, px=LEASE))

    def release(self):
        self.client.delete(self.key)


class SetnxExpire(Lock):
    """Takes the key, and gives it a lease afterwards."""

    def try_acquire(self):
        if not self.client.setnx(self.key, self.mine):
            return False
        self.client.pexpire(self.key, LEASE)
        return True

    def release(self):
        self.client.eval(RELEASE, 1, self.key, self.mine)


class Script(Lock):
    """Compares and deletes in one script."""

    try_acquire = Lock.take

    def release(self):
        self.client.eval(RELEASE, 1, self.key, self.mine)


class TokenAfter(Script):
    """Takes the key, and then draws a fencing token: the lease may run out in between."""

    def try_acquire(self):
        if not self.take():
            return False
        self.fencing_token = self.client.incr(self.key + "-token")
        return True


class TokenInScript(Script):
    """Takes the key and draws a fencing token in one script."""

    def try_acquire(self):
        key, token = self.key, self.key + "-token"
        self.fencing_token = self.client.eval(TAKE, 2, key, token, self.mine, LEASE)
        return self.fencing_token is not None


class Library(Lock):
    """redis-py's own lock."""

    def __init__(self, directory, name):
        super().__init__(directory, name)
        self.lock = self.client.lock(name, timeout=LEASE / 1000, sleep=0.01)

    def acquire(self):
        self.lock.acquire()

    def try_acquire(self):
        return self.lock.acquire(blocking=False)

    def release(self):
        self.lock.release()


KINDS = {
    "get-then-del": GetThenDel,
    "del": Delete,
    "watch": Watch,
    "setnx-expire": SetnxExpire,
    "script": Script,
    "token-after": TokenAfter,
    "token-in-script": TokenInScript,
    "library": Library,
}

serve(KINDS[sys.argv[1]])
