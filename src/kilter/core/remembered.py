"""Functions that remember what they gave for a value: tracing a small network takes longer than an epoch of it."""

from collections.abc import Callable, Hashable
from functools import lru_cache, wraps
from typing import Any, TypeVar

import jax

F = TypeVar("F", bound=Callable[..., Any])
_MOST = 1024
_PLAIN = (int, float, bool)


class _Known:
    """A value as a key: by its structure, and by its numbers where these count."""

    def __init__(self, value: Any, numbers: tuple[Hashable, ...], structure: Any) -> None:
        self.value, self.key = value, (structure, numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Known) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def remembered(*, numbers: bool) -> Callable[[F], F]:
    """Lets a pure function of a value, and of facts that can be hashed, remember what it gave.

    Args:
        numbers: whether the numbers of the value count, rather than its structure alone; values whose numbers are arrays
            are then not remembered.
    """

    def wrapped(function: Any) -> Any:
        @lru_cache(_MOST)
        def known(key: _Known, *facts: Hashable) -> Any:
            return function(key.value, *facts)

        @wraps(function)
        def ask(value: Any, *facts: Hashable) -> Any:
            leaves, structure = jax.tree.flatten(value)
            if numbers and not all(type(leaf) in _PLAIN for leaf in leaves):
                return function(value, *facts)
            return known(_Known(value, tuple(leaves) if numbers else (), structure), *facts)

        return ask

    return wrapped
