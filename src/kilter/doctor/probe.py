"""The untrained network and its first updates, all seeds in one program."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core.compiling import QUICKLY, TRAINING
from kilter.core.keys import named
from kilter.data.dataset import Dataset
from kilter.doctor.anatomy import Anatomy, matched_std
from kilter.doctor.chart import Start, Steps
from kilter.optim.optimizer import spanning
from kilter.train.batches import updates
from kilter.train.order import permutation, some
from kilter.train.parts import parts_of
from kilter.train.program import drawing
from kilter.train.recipe import Recipe
from kilter.train.rows import Scaling
from kilter.train.step import Batch, Learner, Parts, step
from kilter.vitals import Places, Vitals, measure
from kilter.vitals.taps import places_of

Array = np.ndarray[Any, Any]
# Rows that the untrained network is looked at on.
ROWS = 256


class Patient:
    """A recipe on its rows, drawn with several seeds, to be looked at before and while its first updates are made."""

    def __init__(self, recipe: Recipe, data: Dataset, seeds: tuple[int, ...], scaling: tuple[Scaling, Scaling]) -> None:
        self.recipe, self.data, self.seeds = recipe, data, seeds
        inputs, targets = scaling
        self.x, self.y = inputs.apply(data.train.x), targets.apply(data.train.y)
        self.weights = data.train.weights
        span = recipe.epochs * updates(recipe, len(data.train))
        self.parts = parts_of(recipe, data, spanning(recipe.optimizer, max(span, 1)))
        self.learners: Learner = self._drawn()

    def _drawn(self) -> Learner:
        stacked = jax.tree.map(lambda leaf: np.repeat(np.asarray(leaf)[None], len(self.seeds), 0), self.parts)
        spread = jnp.asarray(self.x[some(len(self.x), ROWS)])
        members = drawing(True)(stacked, np.array(self.seeds, np.uint32), spread, self.x.shape[1:], False, None)
        return members.learner

    def start(self, anatomy: Anatomy) -> Start:
        """Vitals of the untrained networks on some rows, in training mode."""
        chosen = some(len(self.x), ROWS)
        rows = self._batch(chosen)
        keys = jax.vmap(lambda seed: named(jax.random.key(seed), "look"))(np.array(self.seeds, np.uint32))
        vitals = jax.device_get(_look(self.parts, self.learners, rows, keys))
        chance = self.recipe.loss.chance(self.y, self.data.classes)
        return start_of(self._places(), vitals, jax.device_get(self.learners.params), anatomy, chance)

    def steps(self, count: int = 50) -> Steps:
        """The first updates."""
        batch = min(self.recipe.batch_size, len(self.x))
        orders = [_order(seed, len(self.x), batch, count, self.recipe.shuffle) for seed in self.seeds]
        return self._walked(np.stack(orders))

    def drill(self, count: int = 200, most: int = 64) -> Steps:
        """Updates on one batch, again and again; on ``most`` rows of it."""
        batch = min(self.recipe.batch_size, len(self.x), most)
        orders = [np.tile(permutation(seed, 0, len(self.x))[:batch], (count, 1)) for seed in self.seeds]
        return self._walked(np.stack(orders).astype(np.int32))

    def _walked(self, orders: Array) -> Steps:
        seeds = np.array(self.seeds, np.uint32)
        return Steps(*jax.device_get(_walk(self.parts, self.learners, self._batch(slice(None)), orders, seeds)))

    def _batch(self, chosen: Any) -> Batch:
        rows: Any = (self.x[chosen], self.y[chosen], None if self.weights is None else self.weights[chosen])
        return Batch(*rows)

    def _places(self) -> Places:
        return places_of(self.recipe.net, self.x.shape[1:])


def start_of(places: Places, vitals: Vitals, params: Any, anatomy: Anatomy, chance: float) -> Start:
    """The untrained network, by its vitals and its parameters, with a leading axis of seeds each.

    Args:
        places: of the vitals.
        vitals: on some rows.
        params: on the host.
        anatomy: of the network.
        chance: loss of the best constant prediction.
    """
    leaves = dict(zip(places.weights, jax.tree.leaves(params), strict=True))
    kernels = [leaves[f"{organ.path}.kernel".lstrip(".")] for organ in anatomy.weighted]
    alike, strength = np.zeros((2, len(vitals.whole.loss), len(kernels)))
    for place, (organ, kernel) in enumerate(zip(anatomy.weighted, kernels, strict=True)):
        std = matched_std(anatomy, organ, kernel.shape[1:])
        alike[:, place], strength[:, place] = _alike(kernel), _std(kernel) / max(std, 1e-30)
    return Start(places, vitals, alike, strength, float(chance))


@partial(jax.jit, compiler_options=QUICKLY)
def _look(parts: Parts, learners: Learner, rows: Batch, keys: Any) -> Any:
    def one(learner: Learner, key: Any) -> Any:
        return measure(
            parts.net, parts.loss, learner.params, learner.state, rows.x, rows.y, weights=rows.weights, key=key,
            penalty=parts.penalty,
        )  # fmt: skip

    return jax.vmap(one)(learners, keys)


@partial(jax.jit, compiler_options=TRAINING)
def _walk(parts: Parts, learners: Learner, train: Batch, orders: Any, seeds: Any) -> Any:
    """Loss of the batch before each update, and the update's size over that of the weights."""

    def one(learner: Learner, order: Any, seed: Any) -> Any:
        key = named(jax.random.key(seed), "train")

        def body(learner: Learner, each: Any) -> Any:
            index, chosen = each
            rows = Batch(train.x[chosen], train.y[chosen], None if train.weights is None else train.weights[chosen])
            after, loss = step(parts, learner, rows, len(chosen), jax.random.fold_in(key, index), index)
            moved = _norm(jax.tree.map(jnp.subtract, after.params, learner.params))
            return after, (loss / len(chosen), moved / jnp.maximum(_norm(learner.params), 1e-30))

        return jax.lax.scan(body, learner, (jnp.arange(len(order)), order))[1]

    return jax.vmap(one)(learners, orders, seeds)


def _norm(tree: Any) -> Any:
    return jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(tree)))


def _order(seed: int, rows: int, batch: int, count: int, shuffle: bool) -> Array:
    epochs = -(-count * batch // rows)
    each = [permutation(seed, epoch, rows) if shuffle else np.arange(rows) for epoch in range(epochs)]
    return np.concatenate(each)[: count * batch].reshape(count, batch).astype(np.int32)


def _alike(kernel: Array) -> Array:
    """Share of the units that have the incoming weights of another, ``(seeds,)``."""
    units = kernel.reshape(len(kernel), -1, kernel.shape[-1])
    count = units.shape[-1]
    if count < 2:
        return np.zeros(len(kernel))
    return np.array([(count - _kinds(each)) / (count - 1) for each in units])


def _kinds(units: Array) -> int:
    """How many different columns there are; most often two rows tell them apart."""
    first, count = len({column.tobytes() for column in units[:2].T}), units.shape[1]
    return count if first == count else len({column.tobytes() for column in units.T})


def _std(kernel: Array) -> Array:
    """Root mean square of the weights, ``(seeds,)``: constant weights are strong, too."""
    return np.sqrt(np.square(kernel.reshape(len(kernel), -1)).mean(1))
