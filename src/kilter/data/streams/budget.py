"""The memory that a stream may take, and what of it each of its parts gets."""

import re
from typing import NamedTuple

from kilter.core.errors import InputError

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_LEAST = 1 << 20
# Windows that are there at once: one that trains and the one before it, one that waits, one that is done and one that is
# being filled.
_WINDOWS = 5


class Budget(NamedTuple):
    """Bytes that the rows of a stream may take; the network and the programs come on top.

    Attributes:
        all: in all.
    """

    all: int

    @property
    def pool(self) -> int:
        """For rows that are held: validation and a sample; they stand on the host, on the device and, once, padded."""
        return self.all // 16

    @property
    def window(self) -> int:
        """For the rows of one window."""
        return self.all // 16

    @property
    def passing(self) -> int:
        """For all windows that are there at once."""
        return _WINDOWS * self.window

    @property
    def piece(self) -> int:
        """For the rows that are read at once."""
        return self.all // 256

    @classmethod
    def of(cls, memory: int | str) -> "Budget":
        """The budget that a user names.

        Raises:
            InputError: no size, or less than a MiB.

        >>> Budget.of("1GiB").all == 2**30
        True
        """
        found = memory if isinstance(memory, int) and not isinstance(memory, bool) else _parsed(memory)
        if found is None or found < _LEAST:
            raise InputError(
                f"memory must be a number of bytes or a size such as '1GiB', at least 1MiB, got {memory!r}"
            )
        return cls(found)


def _parsed(text: object) -> int | None:
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmg]?i?b?)\s*", str(text).lower())
    return int(float(found[1]) * _UNITS[found[2]]) if found and found[2] in _UNITS else None
