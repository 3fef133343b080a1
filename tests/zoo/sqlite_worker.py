"""SQLite's BEGIN EXCLUSIVE: fcntl record locks, and a mutex between connections of a process."""

import sqlite3

from lockutils_worker import serve

WAIT = 600


class Lock:
    # A connection must not be carried across a fork (https://www.sqlite.org/howtocorrupt.html).
    forks = False

    def __init__(self, directory, name):
        self.connection = sqlite3.connect(f"{directory}/{name}", timeout=WAIT, isolation_level=None)

    def acquire(self):
        self.connection.execute("BEGIN EXCLUSIVE")

    def try_acquire(self):
        self.connection.execute("PRAGMA busy_timeout = 0")
        try:
            self.acquire()
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                return False
            raise
        finally:
            self.connection.execute(f"PRAGMA busy_timeout = {WAIT * 1000}")
        return True

    def release(self):
        self.connection.execute("COMMIT")


serve(Lock)
