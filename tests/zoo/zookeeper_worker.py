"""Locks on ZooKeeper, by name: kazoo's own, and one with a race."""

import os
import sys
import time

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError, NodeExistsError
from lockutils_worker import serve

TIMEOUT = 60  # seconds


class Lock:
    forks = True

    def __init__(self, directory, name):
        # Its threads start with the first request.
        self.client, self.path = None, "/" + name

    def connect(self):
        if self.client is None:
            self.client = KazooClient(os.environ["LOCKUTILS_SERVERS"], timeout=TIMEOUT)
            self.client.start(timeout=TIMEOUT)
        return self.client


class Library(Lock):
    """kazoo's own lock."""

    def acquire(self):
        self.lock = self.connect().Lock(self.path, str(os.getpid()))
        if not self.lock.acquire():
            raise RuntimeError("not acquired")

    def release(self):
        self.lock.release()


class LookThenPut(Lock):
    """Looks whether the node exists, and creates it, or takes the one that has come meanwhile."""

    def acquire(self):
        while self.connect().exists(self.path):
            time.sleep(0.01)
        try:
            self.client.create(self.path, ephemeral=True)
        except NodeExistsError:
            self.client.set(self.path, b"taken")

    def release(self):
        try:
            self.client.delete(self.path)
        except NoNodeError:
            pass


KINDS = {"library": Library, "look-then-put": LookThenPut}

serve(KINDS[sys.argv[1]])
