"""Acquires locks of tooz on command, one command a line; the URL is the argument."""

import sys
import time
import uuid

import tooz
from tooz import coordination

from sections import Sections

coordinator = coordination.get_coordinator(sys.argv[1], uuid.uuid4().bytes.hex().encode())
coordinator.start(start_heart=True)
held = {}


def keep(name, blocking):
    lock = coordinator.get_lock(name.encode())
    if not lock.acquire(blocking=blocking):
        return "busy"
    held[name] = lock
    return "acquired"


def check(name):
    try:
        return "held" if held[name].is_still_owner() else "lost"
    except tooz.NotImplemented:  # by the driver of etcd
        return "held" if held[name].acquired else "lost"


def release(name):
    return "released" if held.pop(name).release() else "lost"


def sections(name, file, count, me):
    section = Sections(file)
    for _ in range(int(count)):
        lock = coordinator.get_lock(name.encode())
        assert lock.acquire(blocking=True)
        section.enter(int(me))
        assert lock.release()
    return "done"


def pairs(name, count):
    """Nanoseconds for each acquire and release."""
    lock = coordinator.get_lock(name.encode())
    began = time.monotonic_ns()
    for _ in range(int(count)):
        assert lock.acquire(blocking=True)
        assert lock.release()
    return str((time.monotonic_ns() - began) / int(count))


def turns(name, count, hold_ms):
    """Holds the lock again and again; when it was acquired and before it was released."""
    times = []
    lock = coordinator.get_lock(name.encode())
    for _ in range(int(count)):
        assert lock.acquire(blocking=True)
        acquired = time.monotonic_ns()
        time.sleep(int(hold_ms) / 1000)
        times.append(f"{acquired}-{time.monotonic_ns()}")
        assert lock.release()
    return " ".join(times)


verbs = {
    "acquire": lambda name: keep(name, True),
    "try": lambda name: keep(name, False),
    "check": check,
    "release": release,
    "sections": sections,
    "pairs": pairs,
    "turns": turns,
}

for line in sys.stdin:
    verb, *arguments = line.split()
    try:
        answer = verbs[verb](*arguments)
    except Exception as error:
        answer = f"error {type(error).__name__}: {error}"
    print(answer, flush=True)
