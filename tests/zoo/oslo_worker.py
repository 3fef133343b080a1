from lockutils_worker import serve
from oslo_concurrency import lockutils


class Lock:
    def __init__(self, directory, name):
        self.name, self.path = name, f"{directory}/{name}"

    def _enter(self, **options):
        held = lockutils.lock(self.name, external=True, delay=0.002, **options)
        held.__enter__()
        self.held = held

    def acquire(self):
        self._enter()

    def try_acquire(self):
        try:
            self._enter(blocking=False)
            return True
        except lockutils.AcquireLockFailedException:
            return False

    def release(self):
        self.held.__exit__(None, None, None)

    def remove(self):
        lockutils.remove_external_lock_file(self.name)


serve(Lock)
