"""The Python half of python-and-rust: counts in a file, under the lock of the Rust half."""

import sys

from oslo_concurrency import lockutils

synchronized = lockutils.synchronized_with_prefix("myapp-")


@synchronized("counter", external=True)
def count(file):
    with open(file) as it:
        counted = int(it.read())
    with open(file, "w") as it:
        it.write(str(counted + 1))


for _ in range(int(sys.argv[2])):
    count(sys.argv[1])
