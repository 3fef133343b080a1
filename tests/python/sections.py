"""Critical sections that detect overlaps: the Python side of tests/src/sections.rs."""

import struct


class Sections:
    def __init__(self, path):
        self.file = open(path, "r+b", buffering=0)

    def _read(self, at):
        self.file.seek(at)
        return struct.unpack("<Q", self.file.read(8))[0]

    def _write(self, at, value):
        self.file.seek(at)
        self.file.write(struct.pack("<Q", value))

    def enter(self, me):
        inside = self._read(0)
        assert inside == 0, f"{inside} is in the section when {me} enters"
        self._write(0, me)
        count = self._read(8)
        sum(range(50))
        self._write(8, count + 1)
        inside = self._read(0)
        assert inside == me, f"{inside} entered the section of {me}"
        self._write(0, 0)

    def look(self):
        before = (self._read(0), self._read(8))
        assert before[0] == 0, f"{before[0]} writes while another worker reads"
        sum(range(50))
        after = (self._read(0), self._read(8))
        assert after == before, "one worker writes while another reads"
