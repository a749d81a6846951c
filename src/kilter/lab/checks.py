"""What settings of experiments may be; all of them come from a command line, too."""

import math
from typing import Any

from kilter.core.checks import check_seed, plain
from kilter.core.errors import InputError

_KINDS: dict[type, tuple[tuple[type, ...], str]] = {
    int: ((int,), "a whole number"),
    float: ((int, float), "a finite number"),
    str: ((str,), "a word"),
}


def like(name: str, default: Any, value: Any) -> Any:
    """A setting as its default is: a whole number, a finite number or a word, or a tuple of these.

    Raises:
        InputError: it is of another kind, or no seed.
    """
    value = plain(value)
    if isinstance(default, tuple):
        if not isinstance(value, tuple):
            raise InputError(f"{name} must be a tuple, got {value!r}")
        return tuple(like(name, default[0], each) for each in value)
    kinds, said = _KINDS[type(default)]
    if isinstance(value, bool) or not isinstance(value, kinds) or (str not in kinds and not math.isfinite(value)):
        raise InputError(f"{name} must be {said}, got {value!r}")
    return check_seed(value) if name == "seed" else value


def at_least(least: float, **given: Any) -> None:
    """Refuse numbers below ``least``, and tuples that are empty or have one.

    Raises:
        InputError: names the setting.
    """
    for name, value in given.items():
        values = value if isinstance(value, tuple) else (value,)
        if not values or any(not each >= least for each in values):
            raise InputError(f"{name} must be at least {least:g}, got {value!r}")
