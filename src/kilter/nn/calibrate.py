"""LSUV: weights scaled layer by layer until every weighted layer gives outputs of unit variance on a batch."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from kilter.core.doubts import warn
from kilter.core.errors import InputError
from kilter.nn.initializers import LSUV
from kilter.nn.layer import Layer, Params, State, Weighted

# Outputs' variances by the layer's place in the network.
Variances = dict[str, jax.Array]


def lsuv(net: Layer, params: Params, state: State, x: Any, *, tolerance: float = 0.1, tries: int = 10) -> Params:
    """Layer-sequential unit-variance weights: each kernel W becomes W / sqrt(Var[y]) until |Var[y] - 1| <= tolerance.

    y is the layer's output on ``x`` at inference, over all examples, positions and units. Draw the kernels with
    ``initializer=nn.initializers.LSUV()`` for the source's orthogonal start; `kl.train` scales those by itself. Mishkin
    and Matas 2016, algorithm 1.

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
    scaling = _Scaling(lambda layer: True, tolerance, tries)
    scaled, variances = jax.jit(partial(_calibrate, scaling, net))(params, state, jnp.asarray(x))
    for place, variance in jax.device_get(variances).items():
        if not math.isfinite(variance) or variance == 0.0:
            raise InputError(f"{place}: its outputs have variance {variance:g} on this batch; lsuv cannot scale that")
        if abs(variance - 1.0) > tolerance:
            warn(f"{place} gives variance {variance:g} after {tries} tries, as its biases vary too")
    return scaled


def asked(net: Layer, params: Params, state: State, x: jax.Array) -> Params:
    """`lsuv` for the layers whose initializer is LSUV, inside a compiled program; what cannot be scaled stays."""
    scaling = _Scaling(lambda layer: isinstance(layer.initializer, LSUV), 0.1, 10)
    return _calibrate(scaling, net, params, state, x)[0]


class _Scaling(NamedTuple):
    """Which layers are scaled, and how closely."""

    wanted: Callable[[Weighted], bool]
    tolerance: float
    tries: int

    def __call__(self, layer: Weighted, params: Any, state: State, x: jax.Array) -> tuple[Any, jax.Array]:
        """Scaled parameters and the outputs with them."""

        def outputs(params: Any) -> jax.Array:
            return layer.apply(params, state, x)[0]

        def off(carry: Any) -> jax.Array:
            _, y, tried = carry
            variance = y.var()
            return (jnp.abs(variance - 1.0) > self.tolerance) & (variance > 0.0) & (tried < self.tries)

        def scale(carry: Any) -> Any:
            params, y, tried = carry
            params = params | {"kernel": params["kernel"] / jnp.sqrt(y.var())}
            return params, outputs(params), tried + 1

        scaled, y, _ = jax.lax.while_loop(off, scale, (params, outputs(params), 0))
        return scaled, y


def _calibrate(scaling: _Scaling, net: Layer, params: Params, state: State, x: jax.Array) -> tuple[Params, Variances]:
    """Scaled parameters of the network, and the variance that each scaled layer came to."""
    variances: Variances = {}

    def scaled(layer: Layer, params: Params, state: State, x: jax.Array, key: Any, place: str) -> Any:
        if not isinstance(layer, Weighted) or not scaling.wanted(layer):
            return params, state, layer.apply(params, state, x)[0]
        params, y = scaling(layer, params, state, x)
        variances[f"{place} {layer!r}".strip()] = y.var()
        return params, state, y

    return net.visit(scaled, params, state, x)[0], variances
