"""Wider nets, and deeper or shallower ones."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from typing import Any

from kilter.data.dataset import Dataset
from kilter.doctor.remedies.line import Line, Place, apart, blocks, spliced, with_weighted
from kilter.doctor.remedy import Remedy
from kilter.nn.activations import ReLU
from kilter.nn.dense import Dense
from kilter.nn.layer import Layer
from kilter.nn.recurrent import Recurrent
from kilter.train.recipe import Recipe

_LEAST = 64
# Repeated blocks that a shallow net keeps.
_FEW = 3


def width(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """Two and four times as many hidden units, and at least 64."""
    sizes = [size for place in apart(recipe.net).hidden if (size := _units(place))]
    settings = {
        "x2": (2, 1, "twice as many units"),
        "x4": (4, 1, "four times as many units"),
        f"{_LEAST}": (1, _LEAST, f"at least {_LEAST} units"),
    }
    for name, (factor, least, text) in settings.items():
        change = partial(widened, factor=factor, least=least)
        if sizes and change(recipe) != recipe:
            shown = f"{min(sizes)}" if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
            yield Remedy(
                f"width:{name}",
                f"Give hidden layers {text}, in place of {shown}: wide nets are easier to train, and narrow ones of ReLU "
                "die (Livni et al. 2014; Lu et al. 2020).",
                f"nn.Linear(..., {max(least, factor * max(sizes))}) for hidden layers",
                change,
            )


def widened(recipe: Recipe, factor: int = 1, least: int = 1) -> Recipe:
    """The recipe with hidden layers of so many times their units, and at least so many."""

    def wide(layer: Any) -> Any:
        return layer.replace(units=max(least, factor * layer.units))

    places = [place for place in apart(recipe.net).hidden if _units(place)]
    return recipe.replace(net=spliced(recipe.net, {place.path: (_changed(place, wide),) for place in places}))


def _units(place: Place) -> int | None:
    own = place.layer if isinstance(place.layer, Recurrent) else place.weighted
    return getattr(own, "units", None)


def _changed(place: Place, wide: Callable[[Any], Any]) -> Layer:
    return wide(place.layer) if isinstance(place.layer, Recurrent) else with_weighted(place, wide)


def depth(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """Half of the repeated blocks, three of them, and one more hidden layer."""
    for name, few, text in (("half", None, "half"), (f"{_FEW}", _FEW, f"{_FEW}")):
        change = partial(shallower, few=few)
        if change(recipe) != recipe:
            yield Remedy(
                f"depth:{name}",
                f"Keep {text} of the {_longest(recipe.net)} equal blocks that follow each other: signals fade or die over "
                "many narrow layers (Lu et al. 2020, Dying ReLU and Initialization).",
                "fewer hidden layers",
                change,
            )
    if deeper(recipe) != recipe:
        yield Remedy(
            "depth:+1",
            "Put one more hidden layer in front of the last one: more layers make more of the same number of units "
            "(Montufar et al. 2014).",
            "nn.Linear(width, width), nn.ReLU() in front of the last nn.Linear",
            deeper,
        )


def shallower(recipe: Recipe, few: int | None = None) -> Recipe:
    """The recipe with half of the equal blocks that follow each other, or at most so many."""
    edits: dict[str, tuple[Layer, ...]] = {}
    for run in _runs(recipe.net):
        kept = (len(run) + 1) // 2 if few is None else few
        edits |= {place.path: () for block in run[kept:] for place in block}
    return recipe.replace(net=spliced(recipe.net, edits))


def _runs(net: Layer) -> list[list[Line]]:
    """Equal blocks that follow each other."""
    cut = blocks(apart(net).main)
    return [list(run) for _, run in groupby(cut, key=lambda block: [place.layer for place in block])]


def _longest(net: Layer) -> int:
    return max(len(run) for run in _runs(net))


def deeper(recipe: Recipe) -> Recipe:
    """The recipe with one more hidden dense layer in front of a dense head: as the last one, or of 64 units with ReLU."""
    parts = apart(recipe.net)
    if parts.head is None or not isinstance(parts.head.weighted, Dense):
        return recipe
    cut = blocks(parts.main)
    last = (
        [place.layer for place in cut[-1]] if cut and isinstance(cut[-1][0].layer, Dense) else [Dense(_LEAST), ReLU()]
    )
    return recipe.replace(net=spliced(recipe.net, {parts.head.path: (*last, parts.head.layer)}))
