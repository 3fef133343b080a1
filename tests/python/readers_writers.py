"""fasteners' reader-writer locks on files."""

import os
import time

import fasteners

from sections import Sections

kept = {}
held = {}


def lock_file(name):
    return os.path.join(os.environ["OSLO_LOCK_PATH"], name)


def keep(name):
    kept[name] = fasteners.InterProcessReaderWriterLock(lock_file(name))
    return "kept"


def acquire(name, write, blocking):
    lock = kept[name]
    how = lock.acquire_write_lock if write else lock.acquire_read_lock
    if not how(blocking=blocking, delay=0.001):
        return "busy"
    held[name] = lock.release_write_lock if write else lock.release_read_lock
    return "acquired"


def release(name):
    if name not in held:
        return None
    held.pop(name)()
    return "released"


def sections(name, path, n, me):
    lock = fasteners.InterProcessReaderWriterLock(lock_file(name))
    file = Sections(path)
    for round in range(int(n)):
        if round % 3 == 0:
            with lock.write_lock(delay=0.001):
                file.enter(int(me))
        else:
            with lock.read_lock(delay=0.001):
                file.look()
        time.sleep(0.0001)  # readers that never pause starve writers
    return "done"


verbs = {
    "keep": keep,
    "read": lambda name: acquire(name, False, True),
    "try-read": lambda name: acquire(name, False, False),
    "write": lambda name: acquire(name, True, True),
    "try-write": lambda name: acquire(name, True, False),
    "release": release,
    "read-write-sections": sections,
}
