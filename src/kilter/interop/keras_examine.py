"""The examination of a Keras model: seen through wrapped layers, trained, put back, translated where it can be."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kilter import losses
from kilter.core.checks import check_seed
from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.doctor.chart import Start
from kilter.interop import keras_layers, record
from kilter.interop.advice import Advised
from kilter.interop.judging import Judge, dataset
from kilter.interop.keras_hooks import Wrapped, backward
from kilter.interop.keras_terms import TERMS
from kilter.interop.keras_trainee import KerasTrainee, put, restored
from kilter.interop.node import Node
from kilter.interop.subject import Subject, examined
from kilter.train.recipe import Recipe

Array = np.ndarray[Any, Any]
# Most rows that are taken, and those that the untrained model is looked at on.
_ROWS, _LOOKED = 4096, 256


@dataclass(frozen=True)
class Asked:
    """What was asked for; see `kilter.interop.keras.examine`."""

    loss: Any
    optimizer: Any
    batch_size: int
    validation: Any
    epochs: int | None
    seed: int


def examine(model: Any, x: Any, y: Any, asked: Asked) -> Advised:
    """See `kilter.interop.keras.examine`."""
    began = time.perf_counter()
    rows = _rows(x, y)
    _built(model, rows[0])
    with restored(model):
        subject, data, start, trainee = _admitted(model, rows, asked)
        count = len(trainee.parts["train"][0])
        return examined(subject, data, start, trainee, count, check_seed(asked.seed), TERMS, began)


def to_recipe(model: Any, x: Any, y: Any, asked: Asked) -> tuple[Recipe, Dataset]:
    """See `kilter.interop.keras.to_recipe`."""
    rows = _rows(x, y)
    _built(model, rows[0])
    with restored(model):
        subject, data, _, trainee = _admitted(model, rows, asked)
    if data is None:
        raise InputError("y: targets must be one value or one row of numbers an example for there to be a recipe")
    return subject.recipe(subject.paced(len(trainee.parts["train"][0]))), data


def looked_at(model: Any, x: Any, y: Any, asked: Asked) -> tuple[Subject, Dataset | None, Start, Array]:
    """A model in front of its training, its rows as data without validation, and as they go into the model."""
    rows = _rows(x, y)
    _built(model, rows[0])
    with restored(model):
        subject, data, start, _ = _admitted(model, rows, asked)
    if data is None:
        return subject, None, start, rows[0]
    whole, _ = dataset(rows[0], rows[1], _outputs(subject.nodes), subject.loss, None, None, model.name)
    return subject, whole, start, rows[0]


def _outputs(nodes: Sequence[Node]) -> int:
    return nodes[-1].after[-1] if nodes and nodes[-1].after else 1


def _admitted(
    model: Any, rows: tuple[Array, Array], asked: Asked
) -> tuple[Subject, Dataset | None, Start, KerasTrainee]:
    if asked.epochs is not None and (not isinstance(asked.epochs, int) or asked.epochs < 0):
        raise InputError(f"epochs must be a whole number, at least 0, or None, got {asked.epochs!r}")
    loss, optimizer = _compiled(model, asked)
    x, y = rows
    first = x[:_LOOKED], y[:_LOOKED]
    kept = [keras_layers.array(each) for each in model.variables]
    wrapped = Wrapped(model)
    with wrapped.on():
        try:
            last = wrapped.look(first[0])
            value, weights = backward(wrapped, model, loss, *first)
        except Exception as error:
            raise InputError(
                f"model: raised {type(error).__name__} on rows {first[0].shape} and {first[1].shape}: {error}"
            ) from error
    put(model, kept)
    part = keras_layers.loss(loss)
    outputs = _outputs(wrapped.nodes)
    held = None if asked.validation is None else _rows(*asked.validation)
    data, chosen = dataset(x, y, outputs, part, held, asked.seed, model.name)
    parts = {name: (x[each], y[each]) for name, each in chosen.items()} | ({} if held is None else {"validation": held})
    decoupled, coupled = keras_layers.decay(optimizer, model)
    subject = Subject(
        wrapped.nodes, 0, last, part, _name(loss), keras_layers.optimizer(optimizer), type(optimizer).__name__,
        losses.L2(coupled) if coupled else None, max(decoupled, coupled), asked.batch_size, asked.epochs, True, model.name,
    )  # fmt: skip
    chance = float("nan") if data is None else Judge(data, part).chance_loss
    start = record.start(wrapped.nodes, subject.anatomy, value, chance, weights)
    return subject, data, start, KerasTrainee(model, loss, optimizer, parts, asked.batch_size)


def _compiled(model: Any, asked: Asked) -> tuple[Any, Any]:
    """The loss, and a fresh optimizer like the one asked for or compiled in."""
    loss: Any = asked.loss if asked.loss is not None else getattr(model, "loss", None)
    if loss is None:
        raise InputError("loss: the model is not compiled with one; compile it, or give loss=keras.losses....")
    given = asked.optimizer if asked.optimizer is not None else getattr(model, "optimizer", None) or "adam"
    try:
        loss = keras.losses.get(loss)
        own: Any = keras.optimizers.get(given)
    except ValueError as error:
        raise InputError(f"loss or optimizer: Keras knows none such: {error}") from None
    fresh = type(own).from_config(own.get_config())
    fresh.learning_rate = keras_layers.rate(own)
    return loss, fresh


def _name(loss: Any) -> str:
    return getattr(loss, "__name__", type(loss).__name__)


def _built(model: Any, x: Array) -> None:
    if not model.built:
        model(keras.ops.convert_to_tensor(x[:2]))


def _rows(x: Any, y: Any) -> tuple[Array, Array]:
    """Inputs and targets as arrays, at most some thousand rows."""
    if y is None:
        x, y = _gathered(x)
    try:
        x, y = np.asarray(x), np.asarray(y)
    except ValueError:
        raise InputError("x and y must be arrays with a row an example") from None
    if x.ndim < 2 or y.ndim < 1 or len(x) != len(y) or not len(x) or "O" in (x.dtype.kind, y.dtype.kind):
        raise InputError(
            f"x of shape {x.shape} and y of shape {y.shape} must be arrays of numbers with a row an example"
        )
    stride = -(-len(x) // _ROWS)
    return x[::stride], y[::stride]


def _gathered(loader: Iterable[Any]) -> tuple[Array, Array]:
    """Rows of a loader of pairs."""
    xs: list[Array] = []
    ys: list[Array] = []
    try:
        for batch in loader:
            xs.append(np.asarray(batch[0]))
            ys.append(np.asarray(batch[1]))
            if sum(map(len, xs)) >= _ROWS:
                break
    except Exception as error:
        raised = f"{type(error).__name__} after {len(xs)} batches: {error}"
        raise InputError(f"x: without y a loader of pairs is needed, this one raised {raised}") from error
    if not xs:
        raise InputError("x: the loader gives no rows; a pair of inputs and targets is needed at least once")
    return np.concatenate(xs), np.concatenate(ys)
