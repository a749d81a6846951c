"""What settings of experiments may be; all of them come from a command line, too."""

from typing import Any

from kilter.core.errors import InputError


def at_least(least: float, **given: Any) -> None:
    """Refuse numbers below ``least``, and tuples that are empty or have one.

    Raises:
        InputError: names the setting.
    """
    for name, value in given.items():
        values = value if isinstance(value, tuple) else (value,)
        if not values or any(not isinstance(each, int | float) or not each >= least for each in values):
            raise InputError(f"{name} must be at least {least:g}, got {value!r}")
