"""Locks on etcd, by name: etcd3gw's own, a transaction with a fencing token, and one with a race."""

import base64
import http.client
import json
import os
import sys
import time

from etcd3gw.client import Etcd3Client
from lockutils_worker import serve

LEASE = 10  # seconds
HOST, PORT = os.environ["LOCKUTILS_SERVERS"].rsplit(":", 1)


def text(value):
    return base64.b64encode(value.encode()).decode()


class Lock:
    forks = True

    def __init__(self, directory, name):
        self.connection = http.client.HTTPConnection(HOST, int(PORT))
        self.key, self.mine = text(name), text(str(os.getpid()))

    def ask(self, path, **body):
        self.connection.request("POST", "/v3/" + path, json.dumps(body))
        return json.load(self.connection.getresponse())

    def acquire(self):
        while not self.try_acquire():
            time.sleep(0.01)

    def put(self):
        self.lease = self.ask("lease/grant", TTL=LEASE)["ID"]
        return {"key": self.key, "value": self.mine, "lease": self.lease}


class Transaction(Lock):
    """Puts the key if it does not exist. The revision of the store is the token."""

    def try_acquire(self):
        missing = {"key": self.key, "target": "CREATE", "create_revision": 0}
        answer = self.ask("kv/txn", compare=[missing], success=[{"request_put": self.put()}])
        self.fencing_token = int(answer["header"]["revision"])
        return answer.get("succeeded", False)

    def release(self):
        self.ask("lease/revoke", ID=self.lease)


class LookThenPut(Lock):
    """Looks whether the key exists, and puts it."""

    def try_acquire(self):
        if self.ask("kv/range", key=self.key).get("count", "0") != "0":
            return False
        self.ask("kv/put", **self.put())
        return True

    def release(self):
        self.ask("kv/deleterange", key=self.key)


class Library(Lock):
    """etcd3gw's own lock."""

    def __init__(self, directory, name):
        client = Etcd3Client(host=HOST, port=int(PORT), api_path="/v3/")
        self.lock = client.lock(name, ttl=LEASE)

    def try_acquire(self):
        return self.lock.acquire()

    def release(self):
        self.lock.release()


KINDS = {"transaction": Transaction, "look-then-put": LookThenPut, "library": Library}

serve(KINDS[sys.argv[1]])
