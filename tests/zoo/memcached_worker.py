"""memcached's `add`, for two seconds, and `delete` by a slot that believes it has the lock."""

import os

from lockutils_worker import serve
from pymemcache.client.base import Client


class Lock:
    def __init__(self, directory, name):
        self.name = name
        server = os.environ.get("LOCKUTILS_SERVERS", "127.0.0.1:0")
        port = os.environ.get("ZOO_MEMCACHED_PORT", server.rsplit(":", 1)[1])
        self.client = Client(("127.0.0.1", int(port)))

    def try_acquire(self):
        return self.client.add(self.name, b"held", expire=2, noreply=False)

    def release(self):
        self.client.delete(self.name, noreply=False)


serve(Lock)
