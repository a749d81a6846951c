"""What compiled programs depend on beside what they are made from: versions, processor, and Kilter's own sources."""

import os
import platform
import sys
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

import jax
import numpy as np

from kilter.core.programs import flags


@cache
def here() -> str:
    """All else that programs depend on."""
    versions = (jax.__version__, version("jaxlib"), np.__version__)
    machine = (platform.node(), platform.machine(), _processor(), [repr(device) for device in jax.devices()])
    return repr((versions, machine, flags(), sources()))


def version(name: str) -> str | None:
    """Of a package that is imported."""
    return getattr(sys.modules.get(name), "__version__", None)


def _processor() -> str:
    """What it can do, where the system tells: a home folder may be shared by machines of one name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return repr(
        [next((line for line in lines if line.startswith(word)), "") for word in ("model name", "flags", "Features")]
    )


@cache
def sources() -> str:
    """Kilter's own files, by the signs that Python goes by when it compiles them; empty where there are no files."""
    found = sorted(_files(Path(__file__).parents[1]))
    return sha256(repr(found).encode()).hexdigest() if found else ""


def _files(folder: str | Path) -> Iterator[tuple[str, int, int]]:
    """Path, size and time of the sources in a folder."""
    if not os.path.isdir(folder):
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                facts = entry.stat()
                yield entry.path, facts.st_size, facts.st_mtime_ns
            elif entry.is_dir() and entry.name != "__pycache__":
                yield from _files(entry.path)
