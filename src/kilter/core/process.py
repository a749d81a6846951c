"""Whether a process is still there: a number may be given again, a number with a time of birth is not."""

import os
import socket
from contextlib import suppress
from pathlib import Path

_LINUX = Path("/proc/self/stat").exists()


def here() -> str:
    """Where numbers of processes mean the same: this machine, and this container of it."""
    space = ""
    with suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return f"{socket.gethostname()} {space}".strip()


def birth(pid: int) -> int | None:
    """When a process began, in ticks of this machine's clock; None where the system does not tell.

    Raises:
        ProcessLookupError: there is none, or all that is left of it is how it ended.
    """
    if not _LINUX:
        os.kill(pid, 0)
        return None
    try:
        told = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError as error:
        raise ProcessLookupError(pid) from error
    if told[0] in "ZX":
        raise ProcessLookupError(pid)
    return int(told[19])


def alive(pid: int, born: int | None) -> bool:
    """Whether the process that had this number, and began then, is there."""
    try:
        return birth(pid) in (born, None) or born is None
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
