"""Trainings that are over sooner than a fast program is compiled; they take one that is compiled quickly."""

from collections.abc import Sequence

import jax

from kilter.data.dataset import Dataset
from kilter.train.batches import batch_of, updates
from kilter.train.cost import Cost
from kilter.train.recipe import Recipe

# Seconds of a core that an update takes: for each array, for each byte that it goes through, and for each multiplication of
# its forward products. Measured and so reckoned, in us: 60 and 67 (20-32-32-2, batches of 32), 200 and 263 (64-128-128-10,
# 64), 7300 and 7600 (784-512-512-10, 128), 8000 and 10,800 (LSTM 128 over 28 steps, 64).
_ARRAY, _BYTE, _PRODUCT = 3e-6, 2e-10, 6e-11
# Products of windows are slower: 120 ms, and 143 so reckoned, for MNIST's conv 32-64-128 in batches of 128.
_WINDOWED = 4
# Compiling quickly saves 1.7 s of a core (2.4 to 0.7 s for 14-64-64-2 with batch norm and dropout); updates then take two
# to four times as long.
_BRIEF = 0.5


def brief(recipes: Sequence[Recipe], data: Dataset, cost: Cost) -> bool:
    """Whether training all of these, of one structure and this cost, takes at most half a second of each core.

    It is told by the recipes and the size of the data alone, so that the same training always takes the same program.
    Only for CPUs, on which this was measured.
    """
    if jax.default_backend() != "cpu":
        return False
    rows = data.rows
    products = cost.products * batch_of(recipes[0], rows) * (_WINDOWED if cost.windowed else 1)
    update = _ARRAY * cost.arrays + _BYTE * cost.update + _PRODUCT * products
    made = sum(recipe.epochs * updates(recipe, rows) for recipe in recipes)
    return made * update <= _BRIEF * min(len(recipes), jax.device_count())
