"""Acquires locks of oslo.concurrency and fasteners on command, one command a line."""

import sys

import named_locks
import readers_writers


def obey(command, *arguments):
    for module in (named_locks, readers_writers):
        if command in module.verbs:
            answer = module.verbs[command](*arguments)
            if answer is not None:
                return answer
    return f"unknown {command}"


for line in sys.stdin:
    try:
        answer = obey(*line.split())
    except Exception as error:
        answer = f"error {type(error).__name__}: {error}"
    print(answer, flush=True)
