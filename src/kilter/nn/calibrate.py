"""LSUV: weights scaled layer by layer until every weighted layer gives outputs of unit variance on a batch."""

import math
import warnings
from typing import Any

import jax

from kilter.core.errors import DoubtWarning, InputError, within
from kilter.nn.compose import Chain, Residual
from kilter.nn.layer import Layer, Params, State, Weighted

Calibrated = tuple[Params, jax.Array]


def lsuv(net: Layer, params: Params, state: State, x: Any, *, tolerance: float = 0.1, tries: int = 10) -> Params:
    """Layer-sequential unit-variance weights: each kernel W becomes W / sqrt(Var[y]) until |Var[y] - 1| <= tolerance.

    y is the layer's output on ``x`` at inference, over all examples, positions and units. Goes through `Chain` and
    `Residual`; layers of other kinds that hold layers pass as they are. Draw the kernels with
    ``initializer=nn.initializers.LSUV()`` for the source's orthogonal start. Mishkin and Matas 2016, algorithm 1.

    Args:
        net: the network.
        params: as its ``init`` drew them; not changed.
        state: as its ``init`` made it.
        x: batch ``(batch, *shape)``; some hundred examples do.
        tolerance: how far from 1 the variance may stay.
        tries: most scalings of a layer; one is enough where biases are zero.

    Returns:
        Parameters like ``params`` with kernels scaled.

    Raises:
        InputError: a layer's output does not vary on the batch, or is not finite; names its path.

    >>> import jax
    >>> from kilter import nn
    >>> net = nn.Chain(nn.Dense(64, initializer=nn.initializers.LSUV()), nn.Tanh(), nn.Dense(3))
    >>> x = 5 * jax.random.normal(jax.random.key(0), (100, 8))
    >>> params, state = net.init(jax.random.key(1), (8,))
    >>> params = lsuv(net, params, state, x)
    >>> bool(abs(net.apply(params, state, x)[0].var() - 1) <= 0.1)
    True
    """
    return _calibrate(net, params, state, jax.numpy.asarray(x), tolerance, tries)[0]


def _calibrate(layer: Layer, params: Params, state: State, x: jax.Array, tolerance: float, tries: int) -> Calibrated:
    """Scaled parameters, and what the layer then gives."""
    if isinstance(layer, Chain):
        return _chain(layer, params, state, x, tolerance, tries)
    if isinstance(layer, Residual):
        return _residual(layer, params, state, x, tolerance, tries)
    if isinstance(layer, Weighted):
        return _weighted(layer, params, state, x, tolerance, tries)
    return params, layer.apply(params, state, x)[0]


def _chain(chain: Chain, params: Params, state: State, x: jax.Array, tolerance: float, tries: int) -> Calibrated:
    scaled = []
    for index, (layer, p, s) in enumerate(zip(chain.layers, params, state, strict=True)):
        with within(f"layers[{index}]"):
            p, x = _calibrate(layer, p, s, x, tolerance, tries)
        scaled.append(p)
    return tuple(scaled), x


def _residual(layer: Residual, params: Params, state: State, x: jax.Array, tolerance: float, tries: int) -> Calibrated:
    scaled, outputs = {}, {"shortcut": x}
    for name, inner in layer.parts():
        with within(name):
            scaled[name], outputs[name] = _calibrate(inner, params[name], state[name], x, tolerance, tries)
    return scaled, outputs["shortcut"] + outputs["body"]


def _weighted(layer: Weighted, params: Params, state: State, x: jax.Array, tolerance: float, tries: int) -> Calibrated:
    y, _ = layer.apply(params, state, x)
    for _ in range(tries):
        variance = float(y.var())
        if abs(variance - 1.0) <= tolerance:
            return params, y
        if not math.isfinite(variance) or variance == 0.0:
            raise InputError(f"{layer!r}: its outputs have variance {variance:g} on this batch; lsuv cannot scale that")
        params = params | {"kernel": params["kernel"] / math.sqrt(variance)}
        y, _ = layer.apply(params, state, x)
    if abs(float(y.var()) - 1.0) > tolerance:
        warnings.warn(
            f"{layer!r} gives variance {float(y.var()):g} after {tries} tries, as its biases vary too",
            DoubtWarning,
            stacklevel=4,
        )
    return params, y
