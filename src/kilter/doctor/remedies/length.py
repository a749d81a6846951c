"""How long training goes on and in what batches: epochs, batch size, order of the rows, early stopping."""

from collections.abc import Iterator
from functools import partial

from kilter.data.dataset import Dataset
from kilter.doctor.remedy import Remedy
from kilter.train.recipe import Recipe
from kilter.train.stopping import EarlyStopping

# Batches are not made smaller than the first, and usually have the second size.
_LEAST, _USUAL = 16, 32
_SMALLER = "more updates an epoch, and noise that helps to generalize (Keskar et al. 2017)"
_LARGER = "gradients with less noise (Bottou et al. 2018, section 4)"
_ALL = "a search along the loss needs one that stays the same (Nocedal and Wright 2006, section 7.2)"


def epochs(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """More of them."""
    for factor in (2, 4, 10):
        count = factor * recipe.epochs
        yield Remedy(
            f"epochs:x{factor}",
            f"Train for {count} epochs in place of {recipe.epochs}, as the loss may not have settled when training ends "
            "(Goodfellow et al. 2016, section 11.4).",
            f"for epoch in range({count}):",
            partial(_longer, factor=factor),
        )


def _longer(recipe: Recipe, factor: int) -> Recipe:
    return recipe.replace(epochs=factor * recipe.epochs)


def batch_size(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """Smaller ones, larger ones, and the usual one; all rows for optimizers that search along the loss."""
    rows = len(data.train)
    now = min(recipe.batch_size, rows)
    changes = {
        "all": partial(_whole, rows=rows),
        "/4": partial(_resized, factor=0.25, rows=rows),
        "/16": partial(_resized, factor=1 / 16, rows=rows),
        "x4": partial(_resized, factor=4, rows=rows),
        "32": partial(_usual, rows=rows),
    }
    for name, change in changes.items():
        new = change(recipe).batch_size
        if new != recipe.batch_size:
            reason = _SMALLER if new < now else _ALL if name == "all" else _LARGER
            yield Remedy(
                f"batch_size:{name}",
                f"Take batches of {new} rows in place of {now}: {reason}.",
                f"DataLoader(..., batch_size={new})",
                change,
            )


def _resized(recipe: Recipe, factor: float, rows: int) -> Recipe:
    now = min(recipe.batch_size, rows)
    least = min(_LEAST, now)
    wanted = min(rows, max(least, round(factor * now)))
    return recipe if wanted == now else _of_size(recipe, wanted)


def _usual(recipe: Recipe, rows: int) -> Recipe:
    return recipe if rows <= _USUAL else _of_size(recipe, _USUAL)


def _whole(recipe: Recipe, rows: int) -> Recipe:
    """All rows in a batch, for optimizers that want a loss that stays the same."""
    if recipe.optimizer.needs != "objective" or recipe.batch_size >= rows:
        return recipe
    return recipe.replace(batch_size=rows)


def _of_size(recipe: Recipe, wanted: int) -> Recipe:
    return recipe if recipe.optimizer.needs == "objective" else recipe.replace(batch_size=wanted)


def stopping(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """Early stopping, where validation rows can tell."""
    if data.validation is not None and stopped(recipe) != recipe:
        yield Remedy(
            "stopping:early",
            f"End training when the validation score has not improved for {_patience(recipe.epochs)} epochs "
            "(Prechelt 1998).",
            "break when the best validation loss is that many epochs old; load its weights",
            stopped,
        )


def stopped(recipe: Recipe) -> Recipe:
    """The recipe with early stopping, unless it has it or is too short for it."""
    patience = _patience(recipe.epochs)
    if recipe.stopping is not None or patience >= recipe.epochs:
        return recipe
    return recipe.replace(stopping=EarlyStopping(patience))


def _patience(epochs: int) -> int:
    return max(5, epochs // 5)


def shuffle(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """A new order of the rows in every epoch."""
    if not recipe.shuffle:
        yield Remedy(
            "shuffle:on",
            "Go through the rows in a new order every epoch: where they are sorted, batches hold one kind of row and every "
            "update undoes the last (Bengio 2012, section 3.1).",
            "DataLoader(..., shuffle=True)",
            _shuffled,
        )


def _shuffled(recipe: Recipe) -> Recipe:
    return recipe.replace(shuffle=True)
