"""The signal in a chain before training, layer by layer: its spread, moments, saturated share and gradient.

Several seeds are measured in one compiled program.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from kilter import losses, nn
from kilter.core.keys import named
from kilter.nn.activation import Activation
from kilter.nn.layer import Layer


def outputs(net: nn.Chain, params: Any, state: Any, x: Any, key: Any = None, probes: Any = None) -> list[jax.Array]:
    """What each layer of a chain gives; ``probes`` are added to what the layers of these numbers give."""
    found = []
    for index, (layer, p, s) in enumerate(zip(net.layers, params, state, strict=True)):
        x, _ = layer.apply(p, s, x, key=None if key is None else jax.random.fold_in(key, index))
        x = x + (probes or {}).get(index, 0.0)
        found.append(x)
    return found


def places(net: nn.Chain, kind: type[Layer]) -> list[int]:
    """Where the layers of a kind stand."""
    return [index for index, layer in enumerate(net.layers) if isinstance(layer, kind)]


def initial(net: nn.Chain, seeds: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """The parameters and state with which the runs of these seeds begin, stacked.

    Not compiled as a whole: layers of one shape, in whatever net, share one small program.
    """
    return jax.vmap(lambda seed: net.init(named(jax.random.key(seed), "init"), shape))(seeds)


def spread(x: jax.Array) -> jax.Array:
    """Standard deviation; numbers of 1e-30 or 1e30, whose squares float32 cannot hold, are scaled first."""
    scale = jnp.abs(x).max()
    scale = jnp.where(scale > 0, scale, 1.0)
    return scale * (x / scale).std()


@jax.jit
def signals(net: nn.Chain, params: Any, state: Any, seeds: Any, x: Any, y: Any) -> dict[str, jax.Array]:
    """Of what each activation receives before training, ``(seeds, depth)``: spread, share saturated, gradient's spread.

    The gradient is that of the summed loss in what the activation receives. Layers behave as in training, so that batch
    norms use the moments of these rows.
    """
    before = [index - 1 for index in places(net, Activation)]

    def of(params: Any, state: Any, seed: Any) -> dict[str, jax.Array]:
        through = partial(outputs, net, params, state, x, jax.random.key(seed))

        def loss(probes: Any) -> jax.Array:
            return losses.SoftmaxCrossEntropy()(through(probes)[-1], y).sum()

        plain = through()
        gradients = jax.grad(loss)({index: jnp.zeros_like(plain[index]) for index in before})
        saturated = [net.layers[index + 1].saturated(plain[index]).mean() for index in before]
        return {
            "std": jnp.stack([spread(plain[index]) for index in before]),
            "saturated": jnp.stack(saturated),
            "gradient": jnp.stack([spread(gradients[index]) for index in before]),
        }

    return jax.vmap(of)(params, state, seeds)


@partial(jax.jit, static_argnames=("kind", "training"))
def moments(
    net: nn.Chain, params: Any, state: Any, seeds: Any, x: Any, kind: type[Layer], training: bool
) -> tuple[jax.Array, jax.Array]:
    """Mean and variance of what the layers of a kind give before training, ``(seeds, depth)`` each."""

    def of(params: Any, state: Any, seed: Any) -> tuple[jax.Array, jax.Array]:
        found = outputs(net, params, state, x, jax.random.key(seed) if training else None)
        chosen = jnp.stack([found[index] for index in places(net, kind)])
        return chosen.mean((1, 2)), chosen.var((1, 2))

    return jax.vmap(of)(params, state, seeds)
