"""A Keras model that is trained on rows that are already there, and is put back afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from kilter.core.errors import InputError
from kilter.interop import keras_layers
from kilter.interop.trial import Part

Array = np.ndarray[Any, Any]


class _Inside(keras.Model):
    """A model inside another, which is compiled in its stead."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.inner = model

    def call(self, x: Any, training: Any = None) -> Any:
        return self.inner(x, training=training)


class KerasTrainee:
    """A model with a loss and an optimizer of its own.

    Attributes:
        model: whose weights change.
        parts: rows by name.
        batch_size: rows of an update; all batches have as many, if there are so many rows.
    """

    def __init__(
        self, model: Any, loss: Any, optimizer: Any, parts: dict[str, tuple[Array, Array]], batch_size: int
    ) -> None:
        self.model, self.parts, self.batch_size = model, parts, batch_size
        self._whole: Any = _Inside(model)
        self._whole.compile(optimizer=optimizer, loss=loss)

    def epoch(self, order: Array, changes: int) -> tuple[list[float], list[float]]:
        x, y = self.parts["train"]
        size = min(self.batch_size, len(order))
        losses: list[float] = []
        moved: list[float] = []
        for first in range(0, len(order) - size + 1, size):
            chosen = order[first : first + size]
            before = self._flat() if len(moved) < changes else None
            losses.append(_first(self._guarded(self._whole.train_on_batch, x[chosen], y[chosen])))
            self._whole.reset_metrics()
            if before is not None:
                moved.append(float(np.linalg.norm(self._flat() - before) / max(float(np.linalg.norm(before)), 1e-30)))
            if not np.isfinite(losses[-1]):
                break
        return losses, moved

    def _guarded(self, run: Any, *args: Any) -> Any:
        try:
            return run(*args)
        except Exception as error:
            shapes = " and ".join(str(each.shape) for each in args)
            raise InputError(f"model: training raised {type(error).__name__} on rows {shapes}: {error}") from error

    def _flat(self) -> Array:
        return np.concatenate([np.ravel(keras_layers.array(each)) for each in self.model.trainable_variables])

    def outputs(self, part: Part) -> Array:
        found = self._whole.predict(self.parts[part][0], batch_size=256, verbose=0)
        return np.asarray(found)

    def loss(self, part: Part) -> float:
        x, y = self.parts[part]
        value = _first(self._whole.evaluate(x, y, batch_size=256, verbose=0))
        self._whole.reset_metrics()
        return value

    def weights(self) -> Any:
        return [keras_layers.array(each) for each in self.model.variables]

    def restore(self, weights: Any) -> None:
        put(self.model, weights)


def _first(told: Any) -> float:
    """The loss, in front of whatever metrics there are."""
    return float(np.ravel(told)[0])


def put(model: Any, weights: list[Array]) -> None:
    """Give all variables of a model values."""
    for variable, value in zip(model.variables, weights, strict=True):
        variable.assign(value)


@contextmanager
def restored(model: Any) -> Iterator[None]:
    """Put weights, state and seeds of a model back, whatever happens."""
    kept = [keras_layers.array(each) for each in model.variables]
    flags = {layer: layer.trainable for layer in model._flatten_layers()}
    try:
        yield
    finally:
        put(model, kept)
        for layer, trainable in flags.items():
            if layer.trainable != trainable:
                layer.trainable = trainable
