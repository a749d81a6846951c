"""The learning-rate range test: one short training in which the rate grows, to see where learning begins and ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core import trees
from kilter.core.checks import check_seed
from kilter.core.compiling import TRAINING
from kilter.core.errors import InputError
from kilter.core.keys import named
from kilter.core.plotted import Plotted
from kilter.data.dataset import Dataset
from kilter.optim import Geometric, Optimizer, spanning
from kilter.train.check import check
from kilter.train.cost import cost_of
from kilter.train.layout import width_for
from kilter.train.order import permutation
from kilter.train.parts import parts_of
from kilter.train.program import drawing, over_members
from kilter.train.recipe import Recipe
from kilter.train.rows import load_rows, scalings, spread
from kilter.train.step import Batch, Learner, Parts, step

# Share of the fall of the loss at which it counts as having begun.
_BEGUN = 0.1
# The rate of least loss is about to diverge; a tenth of it trains (Gugger 2018).
_SAFE = 0.1

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class RangeTest(Plotted):
    """What `lr_range_test` found.

    Attributes:
        optimizer: that was tested, with the rate that it came with.
        seeds: one curve each.
        rates: learning rate of each update.
        losses: training loss ``(seeds, updates)``; NaN from where a seed ended.
        smoothed: the same, smoothed.
        low: rate where the loss has fallen by a tenth of its whole fall, the median of the seeds.
        high: rate of the least loss, the median of the seeds.
        suggestion: one rate: a tenth of ``high``, or the middle of the range (geometric) where that lies below ``low``.
    """

    optimizer: Optimizer
    seeds: tuple[int, ...]
    rates: Array
    losses: Array
    smoothed: Array
    low: float
    high: float
    suggestion: float

    def frame(self) -> Any:
        """A pandas frame with a row for each seed and update: ``seed``, ``step``, ``lr``, ``loss``, ``smoothed``."""
        import pandas as pd  # takes long to import

        count = len(self.rates)
        return pd.DataFrame(
            {
                "seed": np.repeat(self.seeds, count),
                "step": np.tile(np.arange(count), len(self.seeds)),
                "lr": np.tile(self.rates, len(self.seeds)),
                "loss": self.losses.ravel(),
                "smoothed": self.smoothed.ravel(),
            }
        )

    def __repr__(self) -> str:
        kind = type(self.optimizer).__name__
        tested = f"{kind}, {len(self.seeds)} seeds, rates {self.rates[0]:.2g} to {self.rates[-1]:.2g}"
        if np.isnan(self.suggestion):
            return f"RangeTest({tested}: the loss never fell)"
        return f"RangeTest({tested}: use lr={self.suggestion:.2g}, within {self.low:.2g} to {self.high:.2g})"


def lr_range_test(
    recipe: Recipe,
    data: Dataset,
    *,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 200,
    seeds: Sequence[int] = (0, 1, 2),
    smoothing: float = 0.9,
    limit: float = 4.0,
) -> RangeTest:
    """Train briefly while the rate grows from ``low`` to ``high`` by a constant factor an update, and watch the loss.

    The range goes from where the loss begins to fall to where it is least, just before it becomes ragged and diverges;
    each seed gives one, their medians count. The loss is smoothed by an exponential mean with its bias removed, m / (1 -
    smoothing^t). A seed ends where that exceeds ``limit`` times its least value so far or is not finite. Whatever wraps the
    optimizer stays, a schedule gives way. The range: Smith 2017, section 3.3; growth, end and the tenth: Gugger 2018.

    Args:
        recipe: whose net, loss, optimizer, preprocessing and batch size are used.
        data: of which the training rows are used.
        low: first rate.
        high: last rate.
        steps: updates.
        seeds: one curve each; they train together.
        smoothing: share of the smoothed loss that survives an update.
        limit: multiple of the least loss at which a seed ends.

    Raises:
        InputError: the recipe does not fit the data, the optimizer has no learning rate, or the settings make no range.

    >>> import kilter as kl
    >>> from kilter import nn, optim, losses
    >>> net = nn.Chain(nn.Dense(16), nn.ReLU(), nn.Dense(3))
    >>> recipe = kl.Recipe(net, losses.SoftmaxCrossEntropy(), optimizer=optim.Adam())
    >>> test = kl.lr_range_test(recipe, kl.data.iris(), seeds=[0])
    >>> test.low < test.suggestion < test.high
    True
    """
    check(recipe, data)
    data = data.sample
    seeds = tuple(map(check_seed, seeds))
    _check_settings(recipe.optimizer, low, high, steps, seeds)
    optimizer = spanning(recipe.optimizer.replace(lr=Geometric(low, high / low)), steps - 1)
    parts = trees.stack([parts_of(recipe, data, optimizer)] * len(seeds))
    train = load_rows(data, *scalings(recipe, data)).train
    drawn = np.array(seeds, np.uint32)
    learners = drawing(False)(parts, drawn, spread(train), data.shape, False).learner
    found = _sweep(
        parts,
        learners,
        drawn,
        np.arange(len(seeds), dtype=np.int32),
        _orders(seeds, len(data.train), min(recipe.batch_size, len(data.train)), steps, recipe.shuffle),
        train,
        smoothing,
        limit,
        width_for(cost_of(recipe, data)),
    )
    losses, smoothed = jax.device_get(found)
    rates = np.asarray(jax.vmap(optimizer.rate)(jnp.arange(steps)), np.float64)
    return RangeTest(recipe.optimizer, seeds, rates, losses, smoothed, *_read(rates, smoothed))


def _check_settings(optimizer: Optimizer, low: float, high: float, steps: int, seeds: tuple[int, ...]) -> None:
    if optimizer.needs == "objective":
        raise InputError(f"optimizer: {optimizer!r} finds the length of its steps by itself; no rate is to be tested")
    if not 0 < low < high < float("inf") or steps < 2 or not seeds:
        raise InputError(
            f"lr_range_test(low={low!r}, high={high!r}, steps={steps!r}, seeds={seeds!r}): low must be above 0 and below "
            "high, steps at least 2, and one seed is needed"
        )


def _orders(seeds: tuple[int, ...], rows: int, batch: int, steps: int, shuffle: bool) -> Array:
    """Row numbers ``(seeds, steps, batch)``: epochs one after the other, so that all batches are full."""
    epochs = -(-steps * batch // rows)

    def order(seed: int) -> Array:
        each = [permutation(seed, epoch, rows) if shuffle else np.arange(rows) for epoch in range(epochs)]
        whole = np.concatenate(each)
        return whole[: steps * batch].reshape(steps, batch).astype(np.int32)

    return np.stack([order(seed) for seed in seeds])


@partial(jax.jit, static_argnames=("width",), compiler_options=TRAINING)
def _sweep(
    parts: Parts,
    learners: Learner,
    seeds: jax.Array,
    seats: jax.Array,
    orders: jax.Array,
    train: Batch,
    smoothing: Any,
    limit: Any,
    width: int,
) -> tuple[jax.Array, jax.Array]:
    """Losses and smoothed losses ``(seeds, steps)``."""

    def single(parts: Parts, learner: Learner, key: jax.Array, order: jax.Array) -> Any:
        size = order.shape[1]

        def body(carry: Any, each: Any) -> Any:
            learner, mean, least, going = carry
            index, chosen = each
            weights = None if train.weights is None else train.weights[chosen]
            batch = Batch(train.x[chosen], train.y[chosen], weights)
            after, total = step(parts, learner, batch, size, jax.random.fold_in(key, index), index)
            loss = total / size
            mean = smoothing * mean + (1 - smoothing) * loss
            smooth = mean / (1 - smoothing ** (index + 1.0))
            least = jnp.minimum(least, smooth)
            going &= jnp.isfinite(loss) & (smooth - least <= (limit - 1) * jnp.abs(least))
            learner = jax.tree.map(lambda new, old: jnp.where(going, new, old), after, learner)
            shown = jnp.where(going, jnp.stack([loss, smooth]), jnp.nan)
            return (learner, mean, least, going), shown

        start = (learner, jnp.float32(0), jnp.float32(jnp.inf), jnp.bool_(True))
        return jax.lax.scan(body, start, (jnp.arange(len(order)), order))[1].T

    training = jax.vmap(lambda seed: named(jax.random.key(seed), "train"))(seeds)
    curves = over_members(single, width)(parts, learners, training, seats, orders)
    return curves[:, 0], curves[:, 1]


def _read(rates: Array, smoothed: Array) -> tuple[float, float, float]:
    """Low, high and the suggestion; NaN where no seed's loss fell."""
    ranges = [found for curve in smoothed if (found := _range(rates, curve))]
    if not ranges:
        return float("nan"), float("nan"), float("nan")
    low, high = np.exp(np.median(np.log(ranges), axis=0))
    return float(low), float(high), float(_SAFE * high if _SAFE * high >= low else np.sqrt(low * high))


def _range(rates: Array, curve: Array) -> tuple[float, float] | None:
    """Rates where the loss of one seed begins to fall and where it is least."""
    if np.isnan(curve).all():
        return None
    least = int(np.nanargmin(curve))
    fallen = curve[0] - curve[least]
    if fallen <= 0:
        return None
    above = np.flatnonzero(curve[:least] > curve[0] - _BEGUN * fallen)
    return float(rates[above[-1] + 1]), float(rates[least])
