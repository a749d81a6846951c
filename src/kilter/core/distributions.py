"""Distributions: values that stand in a recipe for the numbers, options and parts that a search draws."""

from collections import Counter
from dataclasses import KW_ONLY
from typing import Any, ClassVar

from kilter.core.checks import plain
from kilter.core.drawn import Distribution, is_open
from kilter.core.errors import InputError
from kilter.core.specs import number, option, part
from kilter.core.values import Value


class Range(Value, Distribution, abstract=True):
    """Base of the distributions of numbers from ``low`` to ``high``, both included."""

    home: ClassVar[str] = "kl"

    low: Any = number()
    high: Any = number()

    def _fill(self, given: dict[str, Any]) -> None:
        super()._fill(given)
        _check_range(self)

    def ends(self) -> tuple[Any, ...]:
        return self.low, self.high


class Uniform(Range):
    """Numbers from ``low`` to ``high``, all equally likely.

    In a field that holds a decay (a momentum, Adam's ``b1`` and ``b2``) a search draws the logarithm of one minus the decay
    uniformly, for `Uniform` and `LogUniform` alike: 0.9, 0.99 and 0.999 are equally far apart.

    Args:
        low: smallest number.
        high: largest number.

    Raises:
        InputError: the range is empty, or the field that it is put in does not take both of its ends.

    >>> from kilter import nn
    >>> nn.Dropout(Uniform(0, 0.5))
    nn.Dropout(kl.Uniform(0.0, 0.5))
    """


class LogUniform(Range):
    """Numbers from ``low`` to ``high`` whose logarithms are equally likely, for those that count in factors.

    Args:
        low: smallest number, above 0.
        high: largest number.

    Raises:
        InputError: the range is empty or touches 0, or the field that it is put in does not take both of its ends.

    >>> from kilter import optim
    >>> optim.Adam(LogUniform(1e-4, 1e-1))
    optim.Adam(kl.LogUniform(0.0001, 0.1))
    """

    low: float = number(range="(0, inf)")
    high: float = number(range="(0, inf)")


class Integer(Range):
    """Whole numbers from ``low`` to ``high``, both included.

    Args:
        low: smallest number.
        high: largest number.
        log: whether a factor counts, not a difference: 16 to 32 is then as likely as 32 to 64. ``low`` must be above 0.

    Raises:
        InputError: the range is empty or touches 0 with ``log``, or the field that it is put in does not take its ends.

    >>> from kilter import nn
    >>> nn.Dense(Integer(16, 256, log=True))
    nn.Dense(kl.Integer(16, 256, True))
    """

    low: int = option(kinds=int)
    high: int = option(kinds=int)
    log: bool = option(default=False, kinds=bool)

    def _fill(self, given: dict[str, Any]) -> None:
        super()._fill(given)
        if self.log and self.low < 1:
            raise InputError(f"Integer(low={self.low!r}, log=True): low must be at least 1")


class Choice(Value, Distribution):
    """One of several: numbers, words, layers, whole networks, optimizers, schedules, or ``None`` where a field takes it.

    What an option holds is drawn only where that option is chosen. Among the layers of a `nn.Chain` an option may also be a
    tuple: ``()`` for no layer, or several layers.

    Args:
        options: what to choose from; each must be legal in the field that the choice is put in.

    Raises:
        InputError: there is no option, or one is given twice.

    >>> from kilter import nn
    >>> nn.Chain(Choice(nn.ReLU(), nn.LeakyReLU(Uniform(0, 0.3))), Choice((), nn.Dropout(0.2)))
    nn.Chain(
        kl.Choice(nn.ReLU(), nn.LeakyReLU(kl.Uniform(0.0, 0.3))),
        kl.Choice((), nn.Dropout(0.2)),
    )
    """

    home: ClassVar[str] = "kl"

    options: tuple[Any, ...] = part(kinds=object, many=True)

    def __init__(self, *options: Any) -> None:
        self._fill({"options": options})

    def _fill(self, given: dict[str, Any]) -> None:
        super()._fill({"options": plain(given["options"])})
        if not self.options:
            raise InputError("Choice(): at least one option is needed")
        try:
            chosen, count = Counter(self.options).most_common(1)[0]
        except TypeError as error:
            raise InputError(f"Choice: options must be numbers, words, tuples or parts; {error}") from None
        if count > 1:
            raise InputError(f"Choice: options must differ, but {chosen!r} is given {count} times")

    def ends(self) -> tuple[Any, ...]:
        return self.options


class Repeat(Value, Distribution):
    """Copies of a layer, one after the other, among the layers of a `nn.Chain`: a search over depth.

    Args:
        layer: what is repeated; a `nn.Chain` for several layers, which then stand in the outer chain themselves.
        low: fewest copies.
        high: most copies.
        vary: whether each copy draws what ``layer`` leaves open for itself; otherwise all copies are equal.

    Raises:
        InputError: the range is empty, or the field takes a single part only.

    >>> from kilter import nn
    >>> nn.Chain(Repeat(nn.Chain(nn.Dense(Choice(64, 128)), nn.ReLU()), 1, 4), nn.Dense(10))
    nn.Chain(kl.Repeat(nn.Chain(nn.Dense(kl.Choice(64, 128)), nn.ReLU()), 1, 4), nn.Dense(10))
    """

    home: ClassVar[str] = "kl"

    layer: Any = part(kinds=Value)
    low: int = option(kinds=int, range="[0, inf)")
    high: int = option(kinds=int, range="[1, inf)")
    _: KW_ONLY
    vary: bool = option(default=False, kinds=bool)

    def _fill(self, given: dict[str, Any]) -> None:
        super()._fill(given)
        _check_range(self)

    def ends(self) -> tuple[Any, ...]:
        return ((self.layer,),)


class Shared(Value, Distribution):
    """A distribution drawn once for all places that hold it under one name; written `shared`."""

    home: ClassVar[str] = "kl"

    label: str = option(kinds=str)
    of: Any = part(kinds=object)

    @classmethod
    def name(cls) -> str:
        return "kl.shared"

    def _fill(self, given: dict[str, Any]) -> None:
        super()._fill(given)
        if not isinstance(self.of, Distribution):
            raise InputError(
                f"shared({self.label!r}, {self.of!r}): of must be a distribution, such as kl.Choice(64, 128)"
            )
        if not self.label.isidentifier():
            raise InputError(f"shared({self.label!r}): the name must be a single word, such as 'width'")

    def ends(self) -> tuple[Any, ...]:
        return (self.of,)


def shared(name: str, of: Any) -> Any:
    """One draw for several places: every `shared` of one name takes the same value.

    Args:
        name: a single word; the hyper-parameter goes by it.
        of: a distribution, the same in all places.

    >>> from kilter import nn
    >>> width = shared("width", Choice(64, 128))
    >>> nn.Chain(nn.Dense(width), nn.ReLU(), nn.Dense(width))
    nn.Chain(
        nn.Dense(kl.shared('width', kl.Choice(64, 128))),
        nn.ReLU(),
        nn.Dense(kl.shared('width', kl.Choice(64, 128))),
    )
    """
    return Shared(name, of)


def _check_range(value: Any) -> None:
    kind = type(value).__name__
    for name in ("low", "high"):
        if is_open(getattr(value, name)):
            raise InputError(f"{kind}({name}={getattr(value, name)!r}): {name} must be a number that is known")
    if not value.low < value.high:
        raise InputError(f"{kind}(low={value.low!r}, high={value.high!r}): high must be above low")
