"""The job that this process is one of: how many there are, which comes first, and what they agree on."""

from typing import Any

import jax
import numpy as np


def processes() -> int:
    """Processes of the job; 1 where there is none."""
    return jax.process_count()


def first() -> bool:
    """Whether this process is the one that writes files and prints."""
    return jax.process_index() == 0


def least(number: int | None) -> int | None:
    """The least of what the processes say, so that all decide alike; None where one says nothing."""
    if processes() == 1:
        return number
    found = int(_all(np.float64(-1 if number is None else number)).min())
    return None if found < 0 else found


def most(*numbers: float) -> Any:
    """Of each number the most that a process says."""
    return numbers if processes() == 1 else tuple(map(float, _all(np.array(numbers, np.float64)).max(0)))


def ready(tree: Any) -> Any:
    """The same arrays, of a job once they are there: programs of which two run at once may take each other's messages."""
    return tree if processes() == 1 else jax.block_until_ready(tree)


def meet() -> None:
    """Wait until all processes have come here."""
    if processes() > 1:
        _all(np.float64(0))


def _all(numbers: Any) -> Any:
    """What every process says."""
    from jax.experimental import multihost_utils  # not needed where one process works alone

    return np.asarray(multihost_utils.process_allgather(numbers))
