"""A look at a folder: where there are journals, and saved runs that have none."""

import os
from collections.abc import Iterator
from contextlib import suppress

from kilter.core.journal import ENDING

# How deep runs are looked for.
_DEPTH = 4

Found = tuple[str, str, os.stat_result]


def found(folder: str, prefix: str = "", depth: int = 0, logged: bool = True) -> Iterator[Found]:
    """Names of runs, paths of their files and what the system tells of these; links to folders are not followed.

    Args:
        folder: to look into.
        prefix: of the names, with a slash at its end.
        depth: of the folder below the first.
        logged: whether a journal beside the folder tells of it.
    """
    try:
        with os.scandir(folder) as entries:
            inside = {entry.name: entry for entry in entries if not entry.name.startswith(".")}
    except OSError:
        return
    for name, entry in inside.items():
        with suppress(OSError):
            if name.endswith(ENDING) and entry.is_file():
                yield prefix + name.removesuffix(ENDING), entry.path, entry.stat()
            elif name == "run.json" and not logged:
                yield prefix[:-1], entry.path, entry.stat()
            elif depth < _DEPTH and entry.is_dir(follow_symlinks=False):
                yield from found(entry.path, f"{prefix}{name}/", depth + 1, name + ENDING in inside)
