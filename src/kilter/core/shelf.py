"""A folder of things that can be made anew: named by all that they depend on, whole or not at all, and never too many."""

import hashlib
import os
from pathlib import Path

from kilter.core import files
from kilter.core.errors import FileError

# All of them may take so many bytes; those that have not been asked for the longest go first.
_ROOM = 256 << 20
_SUM = hashlib.sha256().digest_size


class Shelf:
    """Bytes by name in a folder. What cannot be read or written is not there; a file that is not as it was written goes.

    Args:
        folder: made where it is needed.
        ending: of the files; others in the folder are left alone.
        room: bytes that all files may take.
    """

    def __init__(self, folder: Path, ending: str, *, room: int = _ROOM) -> None:
        self.folder, self.ending, self.room = folder, ending, room

    def find(self, name: str) -> bytes | None:
        """What is kept under a name."""
        file = self._file(name)
        try:
            content = file.read_bytes()
            if _summed(content[_SUM:]) == content[:_SUM]:
                os.utime(file)
                return content[_SUM:]
        except OSError:
            return None
        self.drop(name)
        return None

    def keep(self, name: str, content: bytes) -> None:
        """Write it down."""
        try:
            files.write(self._file(name), _summed(content) + content)
            self._make_room()
        except (FileError, OSError):  # a full disk, or another process that has made room, too
            return

    def drop(self, name: str) -> None:
        """Remove what is of no use."""
        try:
            self._file(name).unlink(missing_ok=True)
        except OSError:
            return

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}{self.ending}"

    def _make_room(self) -> None:
        known = [(file, file.stat()) for file in self.folder.glob(f"*{self.ending}")]
        left = self.room
        for file, facts in sorted(known, key=lambda each: each[1].st_mtime, reverse=True):
            left -= facts.st_size
            if left < 0:
                file.unlink(missing_ok=True)


def _summed(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
