"""How often: every so many seconds, or every so many epochs."""

import math
import re
from dataclasses import dataclass
from typing import Any

from kilter.core.errors import InputError

_UNITS = {"": 1.0, "s": 1.0, "min": 60.0, "h": 3600.0}
_WORDS = re.compile(r"\s*([0-9.]+)\s*(s|min|h|epochs?|)\s*")


@dataclass(frozen=True)
class Every:
    """Either seconds or epochs, the other is None."""

    seconds: float | None = None
    epochs: int | None = None

    @classmethod
    def of(cls, given: Any) -> "Every":
        """What a user gave for ``every``: a number of seconds, or words.

        Raises:
            InputError: it is something else, or not above 0.

        >>> Every.of("5min"), Every.of(2), Every.of("10 epochs")
        (Every(seconds=300.0, epochs=None), Every(seconds=2.0, epochs=None), Every(seconds=None, epochs=10))
        """
        if isinstance(given, Every):
            return given
        found = _read(given)
        if found is None:
            raise InputError(
                f"every={given!r}: every must be a number of seconds above 0, "
                "or words such as '30s', '5min', '1h' or '10 epochs'"
            )
        return found

    def next(self, epoch: int) -> int | None:
        """The next epoch after this one that is meant; None where seconds decide."""
        return None if self.epochs is None else (epoch // self.epochs + 1) * self.epochs


def _read(given: Any) -> Every | None:
    words = _WORDS.fullmatch(given) if isinstance(given, str) else None
    number, unit = words.groups() if words is not None else (given, "s")
    try:
        value = float("nan") if isinstance(number, bool) else float(number)
    except (TypeError, ValueError):
        return None
    if not (math.isfinite(value) and value > 0) or (isinstance(given, str) and words is None):
        return None
    if unit in _UNITS:
        return Every(seconds=value * _UNITS[unit])
    return Every(epochs=int(value)) if value.is_integer() else None
