"""Recipes that are a sound start for a kind of data."""

from kilter.data.dataset import Dataset
from kilter.recipes.opened import opened
from kilter.recipes.plain import plain, weight_decay
from kilter.recipes.tabular import tabular
from kilter.train.recipe import Recipe

# From so many training rows on the larger network is taken, with all its parts. Below, it wins on some sets and loses on
# others; on digits, with rows held out to choose the epoch, it does not (benchmarks/recipes.py).
_LARGE = 2000


def suited(data: Dataset, *, epochs: int | None = None) -> Recipe:
    """The recipe that `kilter fit` takes: `tabular` from 2000 training rows on and for codes of categories, else `plain`.

    Args:
        data: decides.
        epochs: passes over the training rows; left open, the recipe's own number.
    """
    large = data.rows >= _LARGE or bool(data.categories)
    return (tabular if large else plain)(data, epochs=epochs)


__all__ = ["opened", "plain", "suited", "tabular", "weight_decay"]
