"""A worker of a service that shares a cache of images with workers of both languages.

Its counterpart, src/bin/image-worker.rs, describes the protocol.
"""

import os
import sys
import zlib

from oslo_concurrency import lockutils

IMAGES = 4
PIECE = 64


class Worker:
    def __init__(self, directory):
        self.directory = directory
        lockutils.set_defaults(os.path.join(directory, "locks"))
        self.journal = os.open(os.path.join(directory, "journal"), os.O_WRONLY | os.O_APPEND)
        self.pid = os.getpid()

    def path(self, folder, name):
        return os.path.join(self.directory, folder, str(name))

    def note(self, event, image):
        os.write(self.journal, f"{event} {image} {self.pid}\n".encode())

    def lock(self, image):
        return lockutils.lock(f"image-{image}", external=True, delay=0.001)

    def work(self, n, seed):
        for _ in range(n):
            seed = (seed * 6364136223846793005 + 1) % 2**64
            image = (seed >> 33) % IMAGES
            if (seed >> 40) % 3 == 0:
                self.expire(image)
            else:
                self.use(image)

    def use(self, image):
        reference = self.path("references", f"{image}.{self.pid}")
        with self.lock(image):
            if os.path.exists(self.path("images", image)):
                self.note("found", image)
            else:
                self.fetch(image)
            open(reference, "w").close()
            self.note("referred", image)
        # Without the lock: the reference keeps the image.
        checksums = []
        for folder in ("images", "origin"):
            with open(self.path(folder, image), "rb") as file:
                checksums.append(zlib.crc32(file.read()))
        if checksums[0] != checksums[1]:
            raise ValueError(f"image {image} is corrupt: {checksums[0]:08x}")
        with self.lock(image):
            self.note("left", image)
            os.remove(reference)

    def fetch(self, image):
        self.note("fetching", image)
        part = self.path("images", f"{image}.part")
        source = self.path("origin", image)
        with open(source, "rb") as origin, open(part, "wb", buffering=0) as file:
            while piece := origin.read(PIECE):
                file.write(piece)
        os.rename(part, self.path("images", image))
        self.note("fetched", image)

    def is_referred(self, image):
        referred = False
        for name in os.listdir(self.path("references", "")):
            of, pid = name.split(".")
            if of == str(image):
                if os.path.exists(f"/proc/{pid}"):
                    referred = True
                else:
                    os.remove(self.path("references", name))
        return referred

    def expire(self, image):
        with self.lock(image):
            if os.path.exists(self.path("images", image)) and not self.is_referred(image):
                self.note("expiring", image)
                os.remove(self.path("images", image))


worker = Worker(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    try:
        command, *numbers = line.split()
        if command == "work":
            worker.work(*map(int, numbers))
        elif command == "use":
            worker.use(*map(int, numbers))
        else:
            for image in range(IMAGES):
                worker.expire(image)
        print("done", flush=True)
    except Exception as error:
        print(f"error {type(error).__name__}: {error}", flush=True)
