"""The space that a recipe with distributions in it spans: its dimensions, points in it, and the recipes at them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kilter.core.checks import check_seed
from kilter.core.distributions import Choice, Integer, LogUniform, Repeat
from kilter.core.errors import InputError
from kilter.core.paths import children, nearest
from kilter.core.specs import Scale
from kilter.search import dimension
from kilter.search.dimension import Dimension, Point
from kilter.search.slots import Slot, fill, labels, slots
from kilter.train.recipe import Recipe

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Space:
    """All recipes that a recipe with distributions in it stands for.

    A point is a dictionary of plain numbers and words by name: the path of the distribution in the recipe, such as
    ``"net.layers[0].units"``, with ``.options[1]`` or ``.layer`` for what stands inside a `kl.Choice` or `kl.Repeat`
    (copies that vary have a number besides: ``.layer[2]``), or the name of a shared one. Parts are given by their kind.
    What belongs to an option that was not chosen is not in the point.

    Attributes:
        recipe: with distributions in it.
        dimensions: one a distribution, each behind those that it depends on.

    >>> import kilter as kl
    >>> from kilter import losses, nn, optim
    >>> net = nn.Chain(nn.Dense(kl.Choice(64, 128)), kl.Choice(nn.ReLU(), nn.LeakyReLU(kl.Uniform(0, 0.3))), nn.Dense(10))
    >>> space = Space.of(kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam(kl.LogUniform(1e-4, 1e-1))))
    >>> [each.name for each in space.dimensions]
    ['net.layers[0].units', 'net.layers[1]', 'net.layers[1].options[1].slope', 'optimizer.lr']
    >>> space.build({"net.layers[0].units": 64, "net.layers[1]": "nn.ReLU", "optimizer.lr": 0.01}).net
    nn.Chain(nn.Dense(64), nn.ReLU(), nn.Dense(10))
    """

    recipe: Recipe
    dimensions: tuple[Dimension, ...]

    @classmethod
    def of(cls, recipe: Recipe) -> "Space":
        """Find all distributions of a recipe.

        Raises:
            InputError: there is none, or one name is shared by different ones.
        """
        if not isinstance(recipe, Recipe):
            raise InputError(f"a kl.Recipe with distributions in it is needed, got a {type(recipe).__name__}")
        found: dict[str, tuple[Slot, Dimension]] = {}
        for field, child in children(recipe):
            for slot in slots(child, field, recipe._specs[field]):
                # Preprocessing is fitted before training begins; other numbers there are another start.
                own = replace(_dimension(slot), leaf=False) if field in ("inputs", "targets") else _dimension(slot)
                first, known = found.get(slot.name, (slot, own))
                if first.held != slot.held or known.scale != own.scale:
                    raise InputError(f"shared({slot.name!r}): all places must share one distribution, of one scale")
                found[slot.name] = first, _merged(known, own)
        if not found:
            raise InputError(
                "there is no distribution in this recipe; put one in the place of a number, such as "
                "optim.Adam(kl.LogUniform(1e-4, 1e-1)), or open some with kl.space(recipe, 'optimizer.lr')"
            )
        return cls(recipe, _parents_first({name: own for name, (_, own) in found.items()}))

    def sample(self, seed: int, n: int) -> list[Point]:
        """Draw ``n`` points, each dimension uniformly on its scale."""
        return self.decode(np.random.default_rng(check_seed(seed)).random((n, len(self.dimensions))))

    def draw(self, seed: int) -> Recipe:
        """Draw one recipe."""
        return self.build(self.sample(seed, 1)[0])

    def build(self, point: Point) -> Recipe:
        """The recipe at a point.

        Raises:
            InputError: a value is missing, unknown or out of range, or the values do not go together.
        """
        self._check(point)
        return fill(self.recipe, "", point)

    def encode(self, points: Iterable[Point]) -> Array:
        """Points ``(n, dimensions)`` in the unit cube; what does not exist in a point is put in the middle."""
        return np.array([dimension.encode(self.dimensions, point) for point in points]).reshape(
            -1, len(self.dimensions)
        )

    def decode(self, places: Array | Sequence[Sequence[float]]) -> list[Point]:
        """Points at places ``(n, dimensions)`` in the unit cube."""
        return [dimension.decode(self.dimensions, row) for row in np.asarray(places, float)]

    @property
    def size(self) -> float:
        """Number of different points; infinite where a range is continuous.

        >>> import kilter as kl
        >>> from kilter import losses, nn, optim
        >>> net = nn.Chain(kl.Repeat(nn.Dense(kl.Choice(8, 16, 32)), 0, 2))
        >>> Space.of(kl.Recipe(net, losses.SquaredError(), optimizer=optim.SGD(0.1))).size
        7
        """
        return dimension.size(self.dimensions)

    def _check(self, point: Point) -> None:
        names = [each.name for each in self.dimensions]
        for name in point:
            if name not in names:
                raise InputError(f"there is no {name!r} in this space{nearest(name, names)}")
        for each in self.dimensions:
            if each.exists(point) != (each.name in point):
                told = "is missing" if each.exists(point) else "belongs to an option that is not chosen"
                raise InputError(f"{each.name!r} {told}; a point holds what exists in it and nothing else")
            if each.name in point and not each.holds(point[each.name]):
                accepted = f"one of {list(each.options)}" if each.options else f"from {each.low} to {each.high}"
                raise InputError(f"{each.name!r} is {point[each.name]!r}, but must be {accepted}")


def _dimension(slot: Slot) -> Dimension:
    held, needs = slot.held, () if slot.need is None else (slot.need,)
    if isinstance(held, Choice):
        options = labels(held.options)
        numbers = all(isinstance(option, int | float) for option in held.options)
        leaf = slot.spec.role == "number" and numbers
        return Dimension(slot.name, 0, len(options) - 1, options=options, leaf=leaf, needs=needs)
    scale: Scale = "log" if isinstance(held, LogUniform) or (isinstance(held, Integer) and held.log) else "linear"
    whole = isinstance(held, Integer | Repeat)
    if slot.spec.scale == "complement" and not whole:
        scale = "complement"
    leaf = slot.spec.role == "number" and not isinstance(held, Repeat)
    return Dimension(slot.name, held.low, held.high, scale, whole, leaf=leaf, needs=needs)


def _merged(one: Dimension, other: Dimension) -> Dimension:
    """What stands in two places exists where either does, and is a leaf where both are."""
    needs = tuple(dict.fromkeys(one.needs + other.needs)) if one.needs and other.needs else ()
    return replace(one, needs=needs, leaf=one.leaf and other.leaf)


def _parents_first(found: dict[str, Dimension]) -> tuple[Dimension, ...]:
    ordered: dict[str, Dimension] = {}

    def put(name: str) -> None:
        if name not in ordered:
            for need in found[name].needs:
                put(need.name)
            ordered[name] = found[name]

    for name in found:
        put(name)
    return tuple(ordered.values())
