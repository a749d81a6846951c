"""What a field of a value declares about itself: its role, legal range, search scale and unit."""

import math
import re
from dataclasses import MISSING, dataclass, field
from typing import Any, Literal

Scale = Literal["linear", "log", "complement"]


@dataclass(frozen=True)
class Interval:
    """A range of numbers, written in the usual notation: ``Interval.parse("[0, 1)")``."""

    low: float
    high: float
    low_closed: bool
    high_closed: bool

    @classmethod
    def parse(cls, text: str) -> "Interval":
        match = re.fullmatch(r"([\[(])\s*([^,]+?)\s*,\s*([^,]+?)\s*([\])])", text)
        if match is None:
            raise ValueError(f"not an interval: {text!r}")
        left, low, high, right = match.groups()
        return cls(float(low), float(high), left == "[", right == "]")

    def __contains__(self, number: float) -> bool:
        above = number >= self.low if self.low_closed else number > self.low
        below = number <= self.high if self.high_closed else number < self.high
        return above and below

    def __str__(self) -> str:
        low = "" if math.isinf(self.low) else f"{'at least' if self.low_closed else 'above'} {self.low:g}"
        high = "" if math.isinf(self.high) else f"{'at most' if self.high_closed else 'below'} {self.high:g}"
        return " and ".join(filter(None, (low, high))) or "finite"


@dataclass(frozen=True)
class Spec:
    """The declaration that stands beside a field."""

    role: Literal["number", "option", "part"]
    range: Interval = Interval(-math.inf, math.inf, False, False)
    scale: Scale = "linear"
    search: tuple[float, float] | None = None
    unit: str = ""
    kinds: tuple[type, ...] = ()
    choices: tuple[Any, ...] = ()
    optional: bool = False
    many: bool = False


def _field(default: Any, factory: Any, spec: Spec) -> Any:
    if factory is not MISSING:
        return field(default_factory=factory, metadata={"spec": spec})
    return field(default=default, metadata={"spec": spec})


def number(
    *,
    default: Any = MISSING,
    range: str = "(-inf, inf)",
    scale: Scale = "linear",
    search: tuple[float, float] | None = None,
    unit: str = "",
    also: type | tuple[type, ...] = (),
    optional: bool = False,
) -> Any:
    """Declare a hyper-parameter: a number that is a leaf of the pytree, so that changing it needs no compile.

    Args:
        default: value when the user gives none; required without it.
        range: legal interval, such as ``"[0, 1)"``.
        scale: on which scale a search draws it. ``"complement"`` marks a decay ``d`` close to one: the leaf stored in
            the pytree is ``1 - d``, computed in double precision, because ``1 - float32(0.999)`` is off by 3e-5.
        search: interval that a search opens by default.
        unit: unit of the number, for reports.
        also: kinds of values accepted in place of a number (a schedule for a learning rate).
        optional: whether ``None`` is accepted.
    """
    kinds = also if isinstance(also, tuple) else (also,)
    spec = Spec("number", Interval.parse(range), scale, search, unit, kinds, optional=optional)
    return _field(default, MISSING, spec)


def option(
    *,
    default: Any = MISSING,
    kinds: type | tuple[type, ...] = (),
    choices: tuple[Any, ...] = (),
    range: str = "(-inf, inf)",
    unit: str = "",
    optional: bool = False,
) -> Any:
    """Declare a choice or a size: static, part of the compile key."""
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    spec = Spec("option", Interval.parse(range), unit=unit, kinds=kinds, choices=choices, optional=optional)
    return _field(default, MISSING, spec)


def part(
    *,
    default: Any = MISSING,
    default_factory: Any = MISSING,
    kinds: type | tuple[type, ...] = (),
    optional: bool = False,
    many: bool = False,
) -> Any:
    """Declare a value inside a value; with ``many`` a tuple of them, given as positional arguments."""
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    return _field(default, default_factory, Spec("part", kinds=kinds, optional=optional, many=many))
