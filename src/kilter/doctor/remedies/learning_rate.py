"""Another learning rate: factors of ten, the usual one, the sign, and the one that a range test finds."""

import math
from collections.abc import Iterator
from functools import partial

from kilter.data.dataset import Dataset
from kilter.doctor.remedies.rates import core, rate, usual, with_rate
from kilter.doctor.remedy import Remedy
from kilter.train.range_test import lr_range_test
from kilter.train.recipe import Recipe

_FACTORS = {
    0.1: "updates that are too large make the loss jump or diverge",
    0.01: "updates that are far too large make the loss diverge or the units die",
    10.0: "updates that are too small leave the net near its start",
    100.0: "updates that are far too small leave the net at its start",
}


def learning_rate(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """All rates to try; those that find their steps by themselves have none."""
    now = rate(recipe.optimizer)
    if now is None:
        return
    if now < 0:
        yield Remedy(
            "learning_rate:absolute",
            f"Make the learning rate positive, {-now:g}: with {now:g} every update makes the loss larger.",
            f"lr={-now:g}",
            _absolute,
        )
    common = usual(recipe.optimizer, recipe.loss)
    if common is not None and common != now:
        name = type(core(recipe.optimizer)).__name__
        yield Remedy(
            "learning_rate:usual",
            f"Take {common:g} for the learning rate, which {name} is usually begun with, in place of {now:g}.",
            f"lr={common:g}",
            _usual,
        )
    if now > 0:
        for factor, reason in _FACTORS.items():
            yield Remedy(
                f"learning_rate:x{factor:g}",
                f"Change the learning rate from {now:g} to {_round(now * factor):g}: {reason} (Smith 2017).",
                f"lr={_round(now * factor):g}",
                partial(_times, factor=factor),
            )
    yield Remedy(
        "learning_rate:range_test",
        f"Take the rate that a short training at rising rates finds, in place of {now:g} (Smith 2017, section 3.3).",
        "torch_lr_finder.LRFinder(model, optimizer, criterion).range_test(loader), then its suggestion",
        _RangeTest(data),
        trains=True,
    )


def _absolute(recipe: Recipe) -> Recipe:
    now = rate(recipe.optimizer)
    return recipe if now is None else _at(recipe, abs(now))


def _usual(recipe: Recipe) -> Recipe:
    return _at(recipe, usual(recipe.optimizer, recipe.loss))


def _times(recipe: Recipe, factor: float) -> Recipe:
    now = rate(recipe.optimizer)
    return recipe if now is None else _at(recipe, _round(now * factor))


def _at(recipe: Recipe, wanted: float | None) -> Recipe:
    return recipe if wanted is None else recipe.replace(optimizer=with_rate(recipe.optimizer, wanted))


def _round(number: float) -> float:
    """Without the dust of floating-point products: 0.3 x 0.1 is 0.03."""
    return float(f"{number:.12g}")


class _RangeTest:
    """The change that tests; what was found for a recipe is kept."""

    def __init__(self, data: Dataset) -> None:
        self.data = data
        self.found: dict[Recipe, float] = {}

    def __call__(self, recipe: Recipe) -> Recipe:
        if rate(recipe.optimizer) is None:
            return recipe
        if recipe not in self.found:
            suggestion = lr_range_test(recipe, self.data).suggestion
            self.found[recipe] = float(f"{suggestion:.2g}")
        found = self.found[recipe]
        return recipe if math.isnan(found) else _at(recipe, found)
