"""Masks the message of each line with oslo.utils: JSON strings in, JSON strings out.

The first line of the output is the list of its names.
"""

import json
import sys

from oslo_utils import strutils

print(json.dumps(strutils._SANITIZE_KEYS))
for line in sys.stdin:
    print(json.dumps(strutils.mask_password(json.loads(line))))
