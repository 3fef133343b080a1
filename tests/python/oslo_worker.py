"""Takes oslo.concurrency's locks as it is told, a command a line."""

import struct
import sys
import time

from oslo_concurrency import lockutils

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


def read(file, at):
    file.seek(at)
    return struct.unpack("<Q", file.read(8))[0]


def write(file, at, value):
    file.seek(at)
    file.write(struct.pack("<Q", value))


def enter(file, me):
    inside = read(file, 0)
    assert inside == 0, f"{inside} is in the section when {me} comes in"
    write(file, 0, me)
    count = read(file, 8)
    sum(range(50))
    write(file, 8, count + 1)
    inside = read(file, 0)
    assert inside == me, f"{inside} came into the section of {me}"
    write(file, 0, 0)


def sections(name, path, n, me, mode, prefix=None):
    with open(path, "r+b", buffering=0) as file:
        synchronized = lockutils.synchronized(name, prefix, external=True)(enter)
        for _ in range(int(n)):
            if mode == "blocking":
                with lock(name, prefix):
                    enter(file, int(me))
            elif mode == "polling":
                while True:
                    try:
                        with lock(name, prefix, blocking=False):
                            enter(file, int(me))
                        break
                    except lockutils.AcquireLockFailedException:
                        time.sleep(0.0001)
            else:
                synchronized(file, int(me))
    return "done"


def release(name):
    held.pop(name).__exit__(None, None, None)
    return "released"


def obey(command, *arguments):
    if command == "acquire":
        return keep(arguments[0], True)
    if command == "try":
        return keep(arguments[0], False)
    if command == "release":
        return release(*arguments)
    if command == "sections":
        return sections(*arguments)
    return f"unknown {command}"


for line in sys.stdin:
    try:
        answer = obey(*line.split())
    except Exception as error:
        answer = f"error {type(error).__name__}: {error}"
    print(answer, flush=True)
