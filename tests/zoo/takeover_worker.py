"""A pid file with a takeover that is careful, and wrong nevertheless.

It may rename the live lock of another worker away, and while it checks that file, a third worker
finds no lock. The race needs two delays and three workers.
"""

import os
import time

from lockutils_worker import serve


class Lock:
    threads = False

    def __init__(self, directory, name):
        self.path = f"{directory}/{name}"
        self.away = f"{self.path}.{os.getpid()}"

    def _make(self):
        try:
            fd = os.open(self.away, os.O_CREAT | os.O_WRONLY, 0o600)
            os.write(fd, b"%d" % os.getpid())
            os.close(fd)
            os.link(self.away, self.path)  # with its content, or not at all
            return True
        except FileExistsError:
            return False
        finally:
            os.unlink(self.away)

    @staticmethod
    def _is_alive(path):
        try:
            with open(path) as file:
                os.kill(int(file.read()), 0)
            return True
        except FileNotFoundError:
            return True
        except ProcessLookupError:
            return False

    def try_acquire(self):
        if self._make():
            return True
        if self._is_alive(self.path):
            return False
        try:
            os.rename(self.path, self.away)
        except FileNotFoundError:
            return False
        if not self._is_alive(self.away):
            os.unlink(self.away)
            return self._make()
        try:
            os.link(self.away, self.path)  # it was alive: back with it
        except FileExistsError:
            pass
        os.unlink(self.away)
        return False

    def acquire(self):
        while not self.try_acquire():
            time.sleep(0.002)

    def release(self):
        os.unlink(self.path)


serve(Lock)
