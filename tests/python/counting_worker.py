"""Acquires one external lock of oslo.concurrency repeatedly: counting_worker.py SECONDS.

Prints the acquisitions per second and the longest wait in ms.
"""

import sys
import time

from oslo_concurrency import lockutils

seconds = float(sys.argv[1])
end = time.monotonic() + seconds
count, longest = 0, 0.0
asked = time.monotonic()
while asked < end:
    with lockutils.lock("mixed", external=True):
        longest = max(longest, time.monotonic() - asked)
        count += 1
    asked = time.monotonic()
print(count / seconds, longest * 1000)
