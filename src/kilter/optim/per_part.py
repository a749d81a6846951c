"""Learning rates that differ from part to part of the network: for fine tuning, and to freeze layers."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, ClassVar

import jax

from kilter.core import trees
from kilter.core.errors import InputError
from kilter.core.specs import number, option, part
from kilter.core.values import Value
from kilter.optim.optimizer import Optimizer, Tree
from kilter.optim.wrapper import Following


class Scaled(Value):
    """A factor on the learning rate of the parameters whose path matches a pattern; see `PerPart`.

    Args:
        pattern: in the notation of `fnmatch`; of a path, or of the beginning of one up to a dot.
        factor: on the learning rate; 0 freezes.
    """

    home: ClassVar[str] = "optim"

    pattern: str = option(kinds=str)
    factor: float = number(range="[0, inf)", scale="log", search=(1e-3, 10.0))


class PerPart(Following):
    """p = p + factor (p' - p), p' the parameters after the inner update: every learning rate times its own factor.

    Paths are those of `kilter.core.trees.named`: ``"0.kernel"`` is the kernel of the first layer of a chain, so ``"0"`` its
    whole first layer, ``"*.bias"`` all biases. The first pattern that matches counts; what none matches has factor 1.
    Moments are kept of frozen parameters too. `Average` belongs around it, and `ScheduleFreeAdam`, whose parameters are no
    sum of steps, does not belong in it. As PyTorch's parameter groups with an lr each.

    Args:
        inner: optimizer with the learning rate that the factors multiply.
        factors: `Scaled` values, or pairs of pattern and factor, or a dictionary.

    Raises:
        InputError: from ``init``, a pattern matches no parameter.

    >>> from kilter import optim
    >>> PerPart(optim.SGD(0.1), {"0": 0.1, "*.bias": 2})
    optim.PerPart(optim.SGD(0.1), optim.Scaled('0', 0.1), optim.Scaled('*.bias', 2.0))
    """

    formula: ClassVar[str] = "p = p + factor (inner(p) - p)"
    source: ClassVar[str] = "Howard and Ruder 2018"
    choose: ClassVar[str] = "To fine-tune a trained net: small factors for its first layers, 0 to freeze them."
    paddable: ClassVar[bool] = True

    factors: tuple[Scaled, ...] = part(kinds=Scaled, many=True)

    def __init__(self, inner: Optimizer, *factors: Any) -> None:
        flat = [pair for given in factors for pair in (given.items() if isinstance(given, Mapping) else [given])]
        made = tuple(item if isinstance(item, Scaled) else Scaled(*_pair(item)) for item in flat)
        self._fill({"inner": inner, "factors": made})

    def init(self, params: Tree) -> Tree:
        names = list(trees.named(params))
        for scaled in self.factors:
            if not any(_matches(scaled.pattern, name) for name in names):
                raise InputError(f"{scaled!r} matches no parameter; they are {', '.join(names)}")
        return self.inner.init(params)

    def follow(self, before: Tree, after: Tree, inner: Tree, state: Tree, step: Any) -> tuple[Tree, Tree]:
        factors = [self._factor(name) for name in trees.named(before)]
        old, structure = jax.tree.flatten(before)
        new = [
            q if factor is None else p + factor * (q - p)
            for p, q, factor in zip(old, jax.tree.leaves(after), factors, strict=True)
        ]
        return structure.unflatten(new), inner

    def _factor(self, name: str) -> Any:
        return next((scaled.factor for scaled in self.factors if _matches(scaled.pattern, name)), None)


def _matches(pattern: str, name: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _pair(item: Any) -> tuple[Any, Any]:
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise InputError(f"PerPart(factors={item!r}): factors must be pairs of a pattern and a number")
    return item[0], item[1]
