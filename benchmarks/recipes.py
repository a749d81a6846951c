"""What do the departures of the tabular recipe from RealMLP bring, and does it win where rows choose the epoch?

Run `python benchmarks/recipes.py`, or with `--quick` for a smoke test. Two tables:

1. Diabetes, R2 over folds: the recipe, and the same with the paper's weight decay of 0.02 in place of its own.
2. Digits, test accuracy over splits and seeds, with validation rows that choose the epoch: plain and tabular recipe, and
   the tabular one at its last epoch, without validation rows.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import RepeatedKFold

import kilter as kl
from kilter import recipes
from kilter.data.dataset import Dataset
from kilter.estimators import KilterRegressor

Maker = Callable[[Dataset], kl.Recipe]
PUBLISHED = 0.02


def as_published(data: Dataset) -> kl.Recipe:
    """The tabular recipe with the paper's weight decay."""
    return recipes.tabular(data).put("optimizer.weight_decay", PUBLISHED)


def diabetes(make: Maker, splits: int, repeats: int) -> list[float]:
    """R2 of each fold."""
    x, y = load_diabetes(return_X_y=True)
    folds = RepeatedKFold(n_splits=splits, n_repeats=repeats, random_state=0).split(x, y)
    return [KilterRegressor(recipe=make, random_state=0).fit(x[a], y[a]).score(x[b], y[b]) for a, b in folds]


def digits(make: Maker, splits: int, seeds: int, *, held: bool) -> list[float]:
    """Test accuracy of each split and seed."""
    found = []
    for split in range(splits):
        data = kl.data.digits(seed=split)
        recipe = make(data)
        used = data if held else replace(data, validation=None)
        runs = kl.train_fleet([recipe], used, seeds=range(seeds), progress=False)
        found += [run.metrics["test_accuracy"] for run in runs]
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two folds, one split and seed")
    given = parser.parse_args(argv)
    folds, sets = ((2, 1), (1, 1)) if given.quick else ((5, 2), (4, 3))
    print(f"{'data':10} {'recipe':28} {'mean':>8} {'lowest':>8}")
    for label, make in {"tabular": recipes.tabular, f"tabular, decay {PUBLISHED}": as_published}.items():
        _line("diabetes", label, diabetes(make, *folds))
    _line("digits", "plain", digits(recipes.plain, *sets, held=True))
    _line("digits", "tabular", digits(recipes.tabular, *sets, held=True))
    _line("digits", "tabular, last epoch", digits(recipes.tabular, *sets, held=False))


def _line(data: str, label: str, scores: list[float]) -> None:
    print(f"{data:10} {label:28} {np.mean(scores):8.4f} {min(scores):8.4f}", flush=True)


if __name__ == "__main__":
    main()
