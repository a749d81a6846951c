"""One training over many processes and hosts: each runs the same program, the first one prints and writes files."""

from kilter.core.job import first, processes
from kilter.distributed.start import start

__all__ = ["first", "processes", "start"]
