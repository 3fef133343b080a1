"""memcached's `add`, for two seconds, and `delete` by a slot that believes it has the lock.

Explored, the lease is a minute: it is to end when the explorer lets it, and memcached counts whole
seconds.
"""

import os

from lockutils_worker import serve
from pymemcache.client.base import Client


class Lock:
    def __init__(self, directory, name):
        self.name = name
        server = os.environ.get("LOCKUTILS_SERVERS", "127.0.0.1:0")
        port = os.environ.get("ZOO_MEMCACHED_PORT", server.rsplit(":", 1)[1])
        self.seconds = 2 if "ZOO_MEMCACHED_PORT" in os.environ else 60
        self.client = Client(("127.0.0.1", int(port)))

    def try_acquire(self):
        return self.client.add(self.name, b"held", expire=self.seconds, noreply=False)

    def release(self):
        self.client.delete(self.name, noreply=False)


serve(Lock)
