"""pg_advisory_lock, one session for each slot."""

import os
import zlib

import psycopg2
from lockutils_worker import serve


class Lock:
    forks = False

    def __init__(self, directory, name):
        if "LOCKUTILS_SERVERS" in os.environ:
            session = psycopg2.connect("")  # as PGHOST and its like say
        else:
            port = os.environ["ZOO_POSTGRES_PORT"]
            session = psycopg2.connect(host="127.0.0.1", port=port, user="zoo", dbname="postgres")
        session.autocommit = True
        self.cursor, self.key = session.cursor(), zlib.crc32(name.encode())

    def _ask(self, function):
        self.cursor.execute(f"SELECT {function}(%s)", (self.key,))
        return self.cursor.fetchone()[0]

    def acquire(self):
        self._ask("pg_advisory_lock")

    def try_acquire(self):
        return self._ask("pg_try_advisory_lock")

    def release(self):
        if not self._ask("pg_advisory_unlock"):
            raise RuntimeError("the session did not hold the lock")


serve(Lock)
