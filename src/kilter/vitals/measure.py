"""The vitals of a network on some rows: one pass forward and one backward, in one program."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from kilter.losses import Loss, Penalty
from kilter.nn.layer import Layer, Params, State
from kilter.optim.objective import Objective
from kilter.optim.optimizer import Optimizer
from kilter.vitals.objective import mean, objective
from kilter.vitals.signal import Signal, idle, rms, summary
from kilter.vitals.taps import Site, blank, sites, tapped


class Weights(NamedTuple):
    """What the parameter arrays look like; each attribute ``(arrays,)``, in the order of ``Places.weights``.

    Attributes:
        rms: of the weights w.
        gradient: rms of the gradient of the mean loss, with the penalty, with respect to w.
        update: rms(new w - w) / rms(w) for the update that the optimizer would make now, about 1e-3 in sound training; NaN
            without an optimizer, and where w is all zeros.
        moved: |w - w0| / |w0| with w0 the weights at the start; NaN without these, and where they are all zeros.
        growth: |w| / |w0|; NaN likewise.
    """

    rms: Any
    gradient: Any
    update: Any
    moved: Any
    growth: Any


class Whole(NamedTuple):
    """What the training looks like as a whole; numbers.

    Attributes:
        loss: mean over the rows, without penalty.
        gradient_norm: Euclidean norm of the gradient, with the penalty, over all parameters.
        penalty: its value; 0 without one.
    """

    loss: Any
    gradient_norm: Any
    penalty: Any


class Vitals(NamedTuple):
    """What goes on inside a network on some rows: the layers' signals, the weights, and the training as a whole."""

    signals: Signal
    weights: Weights
    whole: Whole


def measure(
    net: Layer,
    loss: Loss,
    params: Params,
    state: State,
    x: Any,
    y: Any,
    *,
    weights: Any = None,
    key: jax.Array | None = None,
    draws: bool = True,
    penalty: Penalty | None = None,
    optimizer: Optimizer | None = None,
    moments: Any = None,
    step: Any = 0,
    start: Params | None = None,
) -> Vitals:
    """The vitals of a network on some rows.

    Zeros are added behind every layer; the gradients with respect to them are the signals that are propagated back, and
    come from the same pass as those of the weights. A pure function for `jax.jit`, and for `jax.vmap` over everything but
    the rows; what its entries belong to is said by `places`.

    Args:
        net: the network.
        loss: of one example.
        params: parameters.
        state: state of the network.
        x: rows ``(rows, *shape)``, preprocessed.
        y: their targets.
        weights: of the rows, 1 on average; left open, all count the same.
        key: for layers that draw or follow the batch, as in training; left open, they run as at inference.
        draws: whether with a key layers draw. Without, batch norms see the rows as in training, but dropout is off, so
            that what is measured now and later differs by the weights alone. Static.
        penalty: on the weights.
        optimizer: whose next update is looked at.
        moments: its state; needed with it.
        step: updates that it has made before.
        start: parameters that the training began with.

    >>> import jax
    >>> from kilter import losses, nn
    >>> net, key = nn.Chain(nn.Dense(8), nn.Tanh(), nn.Dense(1)), jax.random.key(0)
    >>> x = jax.random.normal(key, (32, 4))
    >>> params, state = net.init(key, (4,))
    >>> found = jax.jit(measure)(net, losses.SquaredError(), params, state, x, x[:, 0])
    >>> found.signals.backward.shape, found.weights.gradient.shape
    ((3,), (4,))
    """
    found = sites(net, params, state, x)

    def total(params: Params, added: Any) -> tuple[Any, tuple[Any, Any, Any]]:
        outputs, held = tapped(net, params, state, x, key, draws, found, added)
        plain = mean(loss, outputs, y, weights)
        extra = jnp.zeros(()) if penalty is None else penalty(params)
        return plain + extra, (plain, extra, held)

    (_, (plain, extra, held)), (grads, back) = jax.value_and_grad(total, (0, 1), has_aux=True)(params, blank(found))
    new = None
    if optimizer is not None:
        value = objective(net, loss, state, x, y, weights, key, draws=draws, penalty=penalty)
        new = _updated(optimizer, value, params, moments, grads, step)
    signals = _signals(found, held, back, len(x))
    return Vitals(signals, _weights(params, grads, new, start), Whole(plain, _norm(grads), extra))


def _signals(found: list[Site], held: list[tuple[Any, Any]], back: list[Any], rows: int) -> Signal:
    """The signals of all taps, stacked. Outputs of one shape are summed up one after the other by the same code.

    Each layer with code of its own would take a deep network minutes to compile.
    """
    shapes = [(site.output.shape, site.output.dtype) for site in found]
    groups = [[place for place, shape in enumerate(shapes) if shape == own] for own in dict.fromkeys(shapes)]

    def one(given: tuple[Any, Any]) -> Signal:
        return summary(given[0], gradient=given[1])

    parts = []
    for places in groups:
        given = [(held[place][1], back[place]) for place in places]
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *given)
        parts.append(jax.lax.map(one, stacked) if len(places) > 1 else jax.tree.map(_alone, one(given[0])))
    order = np.argsort([place for places in groups for place in places])
    joined = jax.tree.map(lambda *leaves: jnp.concatenate(leaves)[order], *parts)
    idles = [idle(site.layer, x) for site, (x, _) in zip(found, held, strict=True)]
    saturated, dead = (jnp.stack(list(map(jnp.float32, each))) for each in zip(*idles, strict=True))
    return joined._replace(saturated=saturated, dead=dead, backward=rows * joined.backward)


def _alone(value: Any) -> jax.Array:
    return jnp.asarray(value)[None]


def _updated(optimizer: Optimizer, value: Objective, params: Params, moments: Any, grads: Params, step: Any) -> Params:
    """Parameters after the update that the optimizer would make now."""
    if optimizer.needs == "gradient":
        return optimizer.update(grads, moments, params, step)[0]
    return optimizer.minimize(value, params, moments, step)[0]


def _weights(params: Params, grads: Params, new: Params | None, start: Params | None) -> Weights:
    size, gradient = _each(params), _each(grads)
    nothing = jnp.full_like(size, jnp.nan)
    update = nothing if new is None else _over(_each(jax.tree.map(jnp.subtract, new, params)), size)
    if start is None:
        return Weights(size, gradient, update, nothing, nothing)
    first, moved = _each(start), _each(jax.tree.map(jnp.subtract, params, start))
    return Weights(size, gradient, update, _over(moved, first), _over(size, first))


def _each(tree: Params) -> jax.Array:
    """Root mean square of each array."""
    return jnp.array([rms(leaf) for leaf in jax.tree.leaves(tree)], jnp.float32)


def _over(sizes: jax.Array, whole: jax.Array) -> jax.Array:
    return jnp.where(whole > 0, sizes / jnp.where(whole > 0, whole, 1.0), jnp.nan)


def _norm(tree: Params) -> jax.Array:
    """Euclidean norm over all arrays of a tree."""
    lengths = [rms(leaf) * leaf.size**0.5 for leaf in jax.tree.leaves(tree)]
    return rms(jnp.stack(lengths)) * len(lengths) ** 0.5 if lengths else jnp.zeros(())
