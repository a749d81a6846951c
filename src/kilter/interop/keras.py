"""Keras 3, with any backend: `examine` any model, `watch` one while it is fitted, `to_recipe` for one of known layers."""

import sys
from typing import TYPE_CHECKING, Any

from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.interop.advice import Advised
from kilter.train.recipe import Recipe

if TYPE_CHECKING:
    from kilter.interop.keras_watch import Watch


def is_model(value: Any) -> bool:
    """Whether a value is a Keras model; Keras is not imported for it.

    >>> is_model(3)
    False
    """
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(value, keras.Model)


def examine(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    loss: Any = None,
    optimizer: Any = None,
    batch_size: int = 32,
    validation: Any = None,
    epochs: int | None = None,
    seed: int = 0,
) -> Advised:
    """Say whether the training of a Keras model is healthy, what is wrong with it and where, and what helps.

    The model is seen through wrapped layers, trained for a while on some rows, and put back: weights, state, what it was
    compiled with and its layers are as before. One that is made of known layers is compared with an ordinary network of
    its size; of others it is only said what is clearly wrong.

    Args:
        model: best untrained, since its start is looked at; one input, one output.
        x: inputs ``(rows, ...)``, or a loader of pairs; at most some thousand rows are taken.
        y: their targets.
        loss: in place of what the model is compiled with.
        optimizer: likewise; Adam where there is none.
        batch_size: rows of an update.
        validation: a pair of inputs and targets that decide; left open, a fifth of the rows.
        epochs: passes over the rows that are meant; left open, as many as make some hundred updates.
        seed: of orders, and of what the model is compared with.

    Raises:
        InputError: something cannot be used, in one sentence.
    """
    _needed(model)
    from kilter.interop import keras_examine

    asked = keras_examine.Asked(loss, optimizer, batch_size, validation, epochs, seed)
    return keras_examine.examine(model, x, y, asked)


def to_recipe(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    loss: Any = None,
    optimizer: Any = None,
    batch_size: int = 32,
    validation: Any = None,
    epochs: int | None = None,
    seed: int = 0,
) -> tuple[Recipe, Dataset]:
    """A model as a recipe, and its rows as data, so that remedies can be proved.

    Weights are not carried over: layers get the initializers that their weights tell of.

    Args:
        model: as for `examine`, as are all others.
        x: likewise.
        y: likewise.
        loss: likewise.
        optimizer: likewise.
        batch_size: likewise.
        validation: likewise.
        epochs: likewise.
        seed: likewise.

    Raises:
        InputError: Kilter has no such layer, loss or optimizer; names it.
    """
    _needed(model)
    from kilter.interop import keras_examine

    asked = keras_examine.Asked(loss, optimizer, batch_size, validation, epochs, seed)
    return keras_examine.to_recipe(model, x, y, asked)


def watch(
    model: Any, x: Any, y: Any = None, *, loss: Any = None, optimizer: Any = None, batch_size: int = 32
) -> "Watch":
    """A callback for ``model.fit`` that says afterwards what was wrong, by its ``checkup()``.

    Args:
        model: compiled, untrained; it is looked at here, and is as before afterwards.
        x: rows that it is looked at on, inputs or a loader of pairs.
        y: their targets.
        loss: in place of what the model is compiled with.
        optimizer: likewise.
        batch_size: rows of an update.

    Raises:
        InputError: as for `examine`.
    """
    _needed(model)
    from kilter.interop import keras_examine, keras_watch

    return keras_watch.Watch(model, x, y, keras_examine.Asked(loss, optimizer, batch_size, None, None, 0))


def _needed(model: Any) -> None:
    try:
        import keras
    except ImportError:
        raise InputError("Keras is needed for this: pip install kilter[keras]") from None
    if not isinstance(model, keras.Model):
        raise InputError(f"model must be a keras.Model, got a {type(model).__name__}")
