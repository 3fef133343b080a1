"""Counts or deletes the nodes of a lock of tooz; the arguments are host and port, verb, name."""

import sys

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

hosts, verb, name = sys.argv[1:]
client = KazooClient(hosts=hosts)
client.start()
path = f"/tooz/locks/{name}"
try:
    children = client.get_children(path)
except NoNodeError:
    children = []
if verb == "delete":
    for child in children:
        client.delete(f"{path}/{child}")
print(len(children))
client.stop()
