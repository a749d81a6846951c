"""Snapshots: several networks for the price of one training, one at the end of each cycle of the learning rate."""

from typing import Any

import jax
import numpy as np

from kilter.core.checks import check_seed
from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.optim import Cosine, Schedule
from kilter.optim.optimizer import Optimizer, spanning
from kilter.train import Recipe, Run, train_fleet
from kilter.train.batches import updates


def snapshots(
    recipe: Recipe, data: Dataset, *, cycles: int = 5, seed: int = 0, progress: bool | None = None
) -> list[Run]:
    """Train in cycles, each on a cosine from the recipe's rate to zero, and keep the network at the end of each.

    The recipe's epochs are split over the cycles. A cycle goes on from the weights that the last one kept, with the
    optimizer anew, an order of rows of its own, and no early stopping. Huang et al. 2017, where the cosines are those of
    Loshchilov and Hutter 2017.

    Args:
        recipe: its rate is the highest that its own schedule reaches.
        data: made by `kilter.data`; with validation rows each cycle keeps its best epoch.
        cycles: number of snapshots, at most the recipe's epochs.
        seed: of the first cycle; the others draw theirs from it.
        progress: show a progress line; left open, if standard error is a terminal.

    Raises:
        InputError: fewer epochs than cycles, or an optimizer without a learning rate.

    >>> import kilter as kl
    >>> data = kl.data.iris()
    >>> runs = snapshots(kl.recipes.plain(data, epochs=9), data, cycles=3)
    >>> [len(run.history["loss"]) for run in runs]
    [3, 3, 3]
    """
    if not isinstance(recipe, Recipe):
        raise InputError(f"a kl.Recipe is needed, got a {type(recipe).__name__}")
    if isinstance(cycles, bool) or not isinstance(cycles, int) or not 1 <= cycles <= recipe.epochs:
        raise InputError(f"cycles must be a whole number from 1 to the recipe's {recipe.epochs} epochs, got {cycles!r}")
    lengths = [len(part) for part in np.array_split(np.arange(recipe.epochs), cycles)]
    steps = recipe.epochs * updates(recipe, len(data.train))
    cycle = recipe.replace(optimizer=_on_cosine(recipe.optimizer, steps), stopping=None)
    runs: list[Run] = []
    for number, epochs in enumerate(lengths):
        last = runs[-1] if runs else None
        own = _seed(check_seed(seed), number)
        runs += train_fleet([cycle.replace(epochs=epochs)], data, seeds=[own], start=last, progress=progress)
    return runs


def _on_cosine(optimizer: Optimizer, steps: int) -> Optimizer:
    rate: Any = getattr(optimizer, "lr", None)
    if rate is None:
        raise InputError(f"{optimizer!r} has no learning rate that could go in cycles; give one that has lr")
    if isinstance(rate, Schedule):
        rate = float(np.max(jax.vmap(spanning(optimizer, steps).rate)(np.arange(steps))))
    return optimizer.replace(lr=Cosine(rate))


def _seed(seed: int, number: int) -> int:
    """The first cycle has the seed itself; those of the others are hashes, which no neighboring seed shares."""
    return seed if number == 0 else int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
