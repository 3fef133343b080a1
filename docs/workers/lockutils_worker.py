"""The lockutils line protocol, version 1, for workers in Python. Copy this file beside your worker.

Needs Python 3.8 or newer, and nothing else.

    from lockutils_worker import serve

    class Lock:
        def __init__(self, directory, name): ...
        def acquire(self): ...
        def try_acquire(self): ...          # True: it has the lock now
        def release(self): ...

    serve(Lock)

Either acquire or try_acquire is enough: without acquire, try_acquire is repeated every two
milliseconds. Optional methods add capabilities: acquire_timeout(seconds) -> bool, read(),
try_read() -> bool, remove(). The attribute `path`, the lock's file, adds `reopen`. The attribute
`fencing_token`, if it is set, is the number that the lock gave with the last acquisition.

Each slot is a thread with its own object, created in that thread. Set `threads = False` if the
library does not support threads, and `forks = False` if it must not be forked. Output of the
library goes to standard error.
"""

import importlib
import os
import queue
import signal
import sys
import tempfile
import threading
import time

_say = threading.Lock()
_out = None


def _keep_standard_output():
    """Reserves standard output for the protocol."""
    global _out
    _out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)


def _answer(slot, text):
    with _say:
        _out.write("%s %s\n" % (slot, text.replace("\n", " ")))
        _out.flush()


def _acquire(lock):
    if hasattr(lock, "acquire"):
        lock.acquire()
        return
    while not lock.try_acquire():
        time.sleep(0.002)


def _in_child(act):
    """Runs `act` in a forked child, which then exits."""
    child = os.fork()
    if child == 0:
        act()
    os.waitpid(child, 0)


def _release_and_exit(lock):
    try:
        lock.release()
    finally:
        os._exit(0)


def _acquired(lock):
    token = getattr(lock, "fencing_token", None)
    return "acquired" if token is None else "acquired token=%d" % token


def _obey(lock, verb, argument):
    if verb == "acquire":
        _acquire(lock)
        return _acquired(lock)
    if verb == "try" and hasattr(lock, "try_acquire"):
        return _acquired(lock) if lock.try_acquire() else "busy"
    if verb == "release":
        lock.release()
        return "released"
    if verb == "acquire-timeout" and hasattr(lock, "acquire_timeout"):
        return _acquired(lock) if lock.acquire_timeout(int(argument) / 1000) else "timeout"
    if verb == "read" and hasattr(lock, "read"):
        lock.read()
        return _acquired(lock)
    if verb == "try-read" and hasattr(lock, "try_read"):
        return _acquired(lock) if lock.try_read() else "busy"
    if verb == "remove" and hasattr(lock, "remove"):
        lock.remove()
        return "removed"
    if verb == "reopen" and hasattr(lock, "path"):
        open(lock.path, "rb").close()
        return "done"
    if verb == "fork-release" and getattr(lock, "forks", True):
        _in_child(lambda: _release_and_exit(lock))
        return "done"
    if verb == "fork-exit" and getattr(lock, "forks", True):
        _in_child(sys.exit)
        return "done"
    return "unsupported"


def _work(make, slot, lines):
    lock = None
    for line in lines:
        # Created on first use, so that a forked process has its own lock.
        if lock is None:
            lock = make(os.environ["LOCKUTILS_DIR"], os.environ["LOCKUTILS_NAME"])
        verb, _, argument = line.partition(" ")
        process = os.getpid()
        try:
            answer = _obey(lock, verb, argument)
        except BaseException as error:
            if os.getpid() != process:
                raise  # an exiting child
            answer = "error %s: %s" % (type(error).__name__, error)
        _answer(slot, answer)


def _import_what_is_used(make):
    """Imports what the library imports on first use, so that forked processes need not."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            with tempfile.TemporaryDirectory() as directory:
                lock = make(directory, "first")
                lock.acquire()
                lock.release()
        finally:
            os.write(writer, "\n".join(sys.modules).encode())
            os._exit(0)
    os.close(writer)
    with open(reader) as modules:
        names = modules.read().split("\n")
    os.waitpid(child, 0)
    for name in names:
        if name and name not in sys.modules:
            try:
                importlib.import_module(name)
            except Exception:  # the library imports it later
                pass


def _alone(make, lines, ready):
    """Commands of slot 0. After `* fork`, a forked child goes on while the parent waits for it."""
    is_first = True
    for line in lines:
        if line == "* fork\n":
            if is_first:
                is_first = False
                _import_what_is_used(make)
            child = os.fork()
            if child:
                os.waitpid(child, 0)
            print(ready, file=_out, flush=True)
        elif line == "* quit\n":
            return
        else:
            yield line.rstrip("\n").partition(" ")[2]


def serve(make):
    """Serves until the input ends. `make(directory, name)` creates the lock of one slot."""
    _keep_standard_output()
    lock = make(os.environ["LOCKUTILS_DIR"], os.environ["LOCKUTILS_NAME"])
    offers = [
        word
        for word, offered in [
            ("threads", getattr(lock, "threads", True)),
            ("timeout", hasattr(lock, "acquire_timeout")),
            ("shared", hasattr(lock, "read")),
            ("remove", hasattr(lock, "remove")),
            ("fork", getattr(lock, "forks", True)),
            ("reopen", hasattr(lock, "path")),
            ("no-try", not hasattr(lock, "try_acquire")),
            ("zygote", hasattr(os, "fork") and getattr(lock, "forks", True)),
        ]
        if offered
    ]
    del lock
    ready = " ".join(["ready"] + offers)
    print(ready, file=_out, flush=True)
    threads = int(os.environ.get("LOCKUTILS_THREADS", "1"))
    lines = iter(sys.stdin.readline, "")
    if threads == 1 or "threads" not in offers:
        # In the main thread, so that a forked child exits as a program does.
        _work(make, 0, _alone(make, lines, ready))
        return
    slots = [queue.Queue() for _ in range(threads)]
    for number, slot in enumerate(slots):
        lines_of_slot = iter(slot.get, None)
        threading.Thread(target=_work, args=(make, number, lines_of_slot), daemon=True).start()
    for line in lines:
        number, _, text = line.rstrip("\n").partition(" ")
        slots[int(number)].put(text)
    os._exit(0)  # threads that wait for the lock would block a normal exit
