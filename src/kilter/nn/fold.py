"""Folding: for inference, batch norms become part of the layer in front of them."""

from typing import Any

import jax
import jax.numpy as jnp

from kilter.nn.compose import Chain, Residual
from kilter.nn.conv import Conv
from kilter.nn.dense import Dense
from kilter.nn.layer import Layer, Params, State
from kilter.nn.norm import BatchNorm

Parts = tuple[Layer, Params, State]


def fold(net: Layer, params: Params, state: State) -> Parts:
    """A network for inference in which each batch norm right behind a dense or convolution layer is folded into it.

    kernel * f and (bias - mean) * f + shift with f = scale / sqrt(var + epsilon), per unit. Chains are searched at any
    depth, also inside residuals; a norm anywhere else stays. Predictions are equal up to rounding; training the folded
    network is another matter, as its norms are gone. Jacob et al. 2018, section 3.2.

    Args:
        net: any network.
        params: as trained.
        state: as trained.

    Returns:
        Network, parameters and state; those given are left as they are.

    >>> import jax
    >>> from kilter import nn
    >>> net = nn.Chain(nn.Dense(4), nn.BatchNorm(), nn.ReLU())
    >>> fold(net, *net.init(jax.random.key(0), (3,)))[0]
    nn.Chain(nn.Dense(4), nn.ReLU())
    """
    if isinstance(net, Chain):
        return _fold_chain(net, params, state)
    if isinstance(net, Residual):
        parts = {name: fold(layer, params[name], state[name]) for name, layer in net.parts()}
        layers, folded, after = ({name: part[place] for name, part in parts.items()} for place in range(3))
        return net.replace(**layers), folded, after
    return net, params, state


def _fold_chain(net: Chain, params: Params, state: State) -> Parts:
    kept: list[Parts] = []
    for layer, p, s in zip(net.layers, params, state, strict=True):
        if isinstance(layer, BatchNorm) and kept and isinstance(kept[-1][0], Dense | Conv):
            kept[-1] = _merged(kept[-1], layer, p, s)
        else:
            kept.append(fold(layer, p, s))
    layers, folded, after = zip(*kept, strict=True) if kept else ((), (), ())
    return Chain(*layers), folded, after


def _merged(front: Parts, norm: BatchNorm, params: Params, state: State) -> Parts:
    """The layer in front with the norm in its kernel and bias."""
    layer, own, rest = front
    factor = params.get("scale", 1.0) * jax.lax.rsqrt(jnp.asarray(state["var"]) + norm.epsilon)
    bias: Any = (own.get("bias", 0.0) - state["mean"]) * factor + params.get("shift", 0.0)
    return (
        layer if layer.bias is None else layer.replace(bias=True),
        own | {"kernel": own["kernel"] * factor, "bias": bias},
        rest,
    )
