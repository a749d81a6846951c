"""Opening the numbers of a finished recipe to a search, by path, with the intervals that they declare themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kilter.core.distributions import LogUniform, Uniform
from kilter.core.errors import InputError, join
from kilter.core.paths import nearest, parse, walk
from kilter.core.specs import Spec
from kilter.train.recipe import Recipe

Steps = tuple[str | int, ...]


@dataclass(frozen=True)
class _Field:
    path: str
    owner: str
    spec: Spec
    value: Any


def space(recipe: Recipe, *paths: str) -> Recipe:
    """Put distributions in the place of some numbers: the interval and the scale that each declares for a search.

    Args:
        recipe: any.
        paths: of numbers, such as ``"optimizer.lr"``; ``..`` stands for any number of steps, so that ``"net..rate"`` is
            the rate of every dropout in the net and ``"..lr"`` every learning rate.

    Raises:
        InputError: a path matches nothing, or something that declares no interval.

    >>> import kilter as kl
    >>> from kilter import losses, nn, optim
    >>> recipe = kl.Recipe(nn.Chain(nn.Dropout(0.2), nn.Dense(1)), losses.SquaredError(), optimizer=optim.SGD(0.1))
    >>> space(recipe, "optimizer.lr", "net..rate")
    kl.Recipe(
        nn.Chain(nn.Dropout(kl.Uniform(0.0, 0.7)), nn.Dense(1)),
        losses.SquaredError(),
        optimizer=optim.SGD(kl.LogUniform(1e-05, 1.0)),
    )
    """
    if not paths:
        raise InputError("kl.space needs paths of numbers to search, such as 'optimizer.lr' or 'net..rate'")
    fields = list(_fields(recipe))
    chosen = {field.path: field for path in paths for field in _matching(path, fields)}
    for field in chosen.values():
        recipe = recipe.put(field.path, _distribution(field))
    return recipe


def _fields(recipe: Recipe) -> Iterator[_Field]:
    for place, value in walk(recipe):
        for name, spec in value._specs.items():
            yield _Field(join(place, name), type(value).__name__, spec, getattr(value, name))


def _matching(path: str, fields: list[_Field]) -> list[_Field]:
    pieces = [parse(piece) for piece in path.split("..")]
    found = [field for field in fields if _matches(pieces, parse(field.path))]
    if not found:
        names = [field.path for field in fields if field.spec.search is not None]
        raise InputError(f"{path!r} matches nothing in this recipe{nearest(path, names)}")
    return found


def _matches(pieces: list[Steps], steps: Steps) -> bool:
    """Whether the first piece begins the steps, the last one ends them, and the others follow in between."""
    first, *rest = pieces
    if steps[: len(first)] != first:
        return False
    if not rest:
        return len(steps) == len(first)
    return any(_matches(rest, steps[begin:]) for begin in range(len(first), len(steps)))


def _distribution(field: _Field) -> Uniform | LogUniform:
    if hasattr(field.value, "_specs"):
        inner = [join(field.path, name) for name, spec in field.value._specs.items() if spec.search is not None]
        hint = f"name a number in it, such as {inner[0]!r}" if inner else "name a number"
        raise InputError(f"{field.path!r} is {field.value!r}; {hint}")
    if field.spec.search is None:
        name = field.path.rpartition(".")[2]
        raise InputError(
            f"{field.path!r}: {field.owner} declares no search interval for {name}; "
            f"put a distribution of your own there, such as recipe.put({field.path!r}, kl.Choice(...))"
        )
    return (LogUniform if field.spec.scale == "log" else Uniform)(*field.spec.search)
