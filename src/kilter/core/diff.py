"""What differs between two values, by path."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from kilter.core.errors import join
from kilter.core.paths import children


class _Absent:
    """Stands for a part that one of the two values does not have."""

    def __repr__(self) -> str:
        return "(absent)"


ABSENT = _Absent()


@dataclass(frozen=True)
class Change:
    """One difference: the path, and the value before and after."""

    path: str
    before: Any
    after: Any

    def __repr__(self) -> str:
        return f"{self.path}: {self.before!r} -> {self.after!r}"


class Diff(tuple[Change, ...]):
    """The changes from one value to another, in order of their paths; empty where they are equal."""

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "(no difference)"


def diff(a: Any, b: Any) -> Diff:
    """List the paths at which two recipes (or parts) differ, with both values.

    A layer that was put in or taken out is one change, not a shift of all that follow. Paths of parts that both have are
    paths in ``b``; those of removed parts are paths in ``a``.

    >>> from kilter import nn, optim
    >>> diff(optim.Adam(0.1), optim.Adam(0.2))
    lr: 0.1 -> 0.2
    >>> diff(nn.Chain(nn.Dense(8)), nn.Chain(nn.Dense(8), nn.ReLU()))
    layers[1]: (absent) -> nn.ReLU()
    """
    return Diff(_changes("", a, b))


def _changes(path: str, a: Any, b: Any) -> list[Change]:
    if type(a) is type(b) and a == b:
        return []
    if isinstance(a, tuple) and isinstance(b, tuple) and any(hasattr(item, "_specs") for item in a + b):
        return _sequence(path, a, b)
    if type(a) is not type(b) or not hasattr(a, "_specs"):
        return [Change(path, a, b)]
    pairs = zip(children(a), children(b), strict=True)
    return [change for (step, x), (_, y) in pairs for change in _changes(join(path, step), x, y)]


def _sequence(path: str, a: tuple[Any, ...], b: tuple[Any, ...]) -> list[Change]:
    changes: list[Change] = []
    matcher = SequenceMatcher(None, _kinds(a, b), _kinds(b, a), autojunk=False)
    for _, a_low, a_high, b_low, b_high in matcher.get_opcodes():
        for i, j in zip_longest(range(a_low, a_high), range(b_low, b_high)):
            index = i if j is None else j
            before = ABSENT if i is None else a[i]
            after = ABSENT if j is None else b[j]
            changes += _changes(f"{path}[{index}]", before, after)
    return changes


def _kinds(items: tuple[Any, ...], others: tuple[Any, ...]) -> list[Any]:
    """What to align by: kinds alone where lengths agree, else whole values so that equal layers find each other."""
    return [type(item) for item in items] if len(items) == len(others) else list(items)
