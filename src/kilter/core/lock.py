"""A folder that one process at a time works in."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kilter.core.errors import FileError

if sys.platform == "win32":
    import msvcrt

    def _take(stream: IO[str]) -> None:
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)

    _BUSY = PermissionError
else:
    import fcntl

    def _take(stream: IO[str]) -> None:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)

    _BUSY = BlockingIOError


@contextmanager
def alone(folder: Path, name: str, given: str, work: str) -> Iterator[None]:
    """Hold a folder, made where there is none, until the block ends or the process does, however that comes about.

    The file ``name`` stays in the folder; the system forgets who held it. ``given`` is the argument that named the folder,
    ``work`` what is done in it.

    Raises:
        FileError: another process holds the folder, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / name).open("a")
    except OSError as error:
        raise FileError(f"cannot write {folder}: {error.strerror or error}") from None
    with stream:
        try:
            _take(stream)
        except _BUSY:
            raise FileError(
                f"{given}: another {work} is at work in {folder}; wait until it has ended, or name another folder"
            ) from None
        except OSError as error:
            raise FileError(f"cannot lock {folder / name}: {error.strerror or error}") from None
        yield
