"""Batch sizes: the updates of an epoch, and whether members whose batch sizes differ may share a program.

They share one whose batches have as many slots as the widest needs. Slots that a member has no rows for are padding of
weight 0, and its epoch ends after its own number of updates.
"""

from collections.abc import Iterable

from kilter.core.paths import walk
from kilter.train.recipe import Recipe


def batch_of(recipe: Recipe, rows: int) -> int:
    """Rows of a full batch."""
    return min(recipe.batch_size, rows)


def updates(recipe: Recipe, rows: int) -> int:
    """Updates of an epoch; the last batch may be smaller."""
    return -(-rows // recipe.batch_size)


def slots(recipes: Iterable[Recipe], rows: int) -> int | None:
    """Slots of a batch that holds those of all recipes; None where all have one batch size.

    A power of two, or all rows, so that it stays the same from fleet to fleet.

    >>> from kilter import nn, losses, optim
    >>> recipe = Recipe(nn.Dense(1), losses.SquaredError(), optimizer=optim.Adam())
    >>> sizes = [recipe.replace(batch_size=size) for size in (5, 20)]
    >>> slots(sizes, 100), slots(sizes, 30), slots(sizes, 4)
    (32, 30, None)
    """
    sizes = {batch_of(recipe, rows) for recipe in recipes}
    return None if len(sizes) == 1 else min(1 << (max(sizes) - 1).bit_length(), rows)


def separable(recipe: Recipe) -> bool:
    """Whether what becomes of a row in training does not depend on the rows beside it in the batch."""
    inside = [value for part in (recipe.net, recipe.augment) if part is not None for _, value in walk(part)]
    return not any(getattr(value, "adapts", False) or getattr(value, "mixes", False) for value in inside)
