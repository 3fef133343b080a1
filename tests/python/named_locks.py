"""oslo.concurrency's external locks by name, and their removal."""

import time

from oslo_concurrency import lockutils

from sections import Sections

held = {}


def lock(name, prefix=None, blocking=True):
    return lockutils.lock(name, prefix, external=True, blocking=blocking, delay=0.001)


def keep(name, blocking):
    context = lock(name, blocking=blocking)
    try:
        context.__enter__()
    except lockutils.AcquireLockFailedException:
        return "busy"
    held[name] = context
    return "acquired"


def sections(name, path, n, me, mode, prefix=None):
    file = Sections(path)
    synchronized = lockutils.synchronized(name, prefix, external=True)(file.enter)
    for _ in range(int(n)):
        if mode == "blocking":
            with lock(name, prefix):
                file.enter(int(me))
        elif mode == "polling":
            while True:
                try:
                    with lock(name, prefix, blocking=False):
                        file.enter(int(me))
                    break
                except lockutils.AcquireLockFailedException:
                    time.sleep(0.0001)
        else:
            synchronized(int(me))
    return "done"


def release(name):
    if name not in held:
        return None
    held.pop(name).__exit__(None, None, None)
    return "released"


def remove(name):
    lockutils.remove_external_lock_file(name)
    return "removed"


verbs = {
    "acquire": lambda name: keep(name, True),
    "try": lambda name: keep(name, False),
    "release": release,
    "sections": sections,
    "remove": remove,
}
