"""Norms of weights: a layer's kernel with its length learned apart, or its largest stretch held at one."""

from dataclasses import KW_ONLY

import jax
import jax.numpy as jnp

from kilter.core import keys
from kilter.core.specs import option
from kilter.nn.layer import Params, Shape, State
from kilter.nn.reweighted import Reweighted

# Squared length under which a vector counts as zero, so that neither it nor its gradient is divided by zero.
_LEAST = 1e-20


class WeightNorm(Reweighted):
    """kernel = g v / ||v||, per unit: the length g and the direction v of each unit's weights are learned apart.

    ``params["kernel"]`` holds v and ``params["length"]`` g, one number for each unit; at the start g = ||v||, so the
    layer begins as it would without. Salimans and Kingma 2016, equation 2. PyTorch's ``parametrizations.weight_norm``
    at ``dim=0``; Keras has none.

    Args:
        layer: with a kernel ``(..., units)``, such as ``nn.Dense`` or ``nn.Conv``.
    """

    formula = "W_u = g_u v_u / ||v_u||"
    source = "Salimans and Kingma 2016, equation 2"
    choose = "Batches are too small or too dependent for BatchNorm: recurrent and generative networks."

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        params, state = super().init(key, shape)
        return params | {"length": jnp.sqrt(_squares(params["kernel"]))}, state

    def kernel(self, params: Params, state: State, key: jax.Array | None) -> tuple[jax.Array, State]:
        v = params["kernel"]
        return v * (params["length"] * jax.lax.rsqrt(jnp.maximum(_squares(v), _LEAST))), state


class SpectralNorm(Reweighted):
    """kernel / sigma, with sigma the largest singular value of the kernel as a matrix ``(rest, units)``.

    sigma = u^T W v with unit vectors u, v from power iteration, kept in the state: each training step goes on from where
    the last one left them, and no gradient runs through them. Inference uses them as they are. Miyato et al. 2018,
    algorithm 1. As PyTorch's ``parametrizations.spectral_norm``, which also starts with 15 iterations; Keras's
    ``SpectralNormalization`` overwrites the kernel.

    Args:
        layer: with a kernel ``(..., units)``, such as ``nn.Dense`` or ``nn.Conv``.
        iterations: rounds of power iteration in each training step.
    """

    adapts = True
    formula = "W / sigma(W),  sigma = u^T W v by power iteration"
    source = "Miyato et al. 2018, algorithm 1"
    choose = "The layer must not stretch any input: discriminators, certified robustness."

    _: KW_ONLY
    iterations: int = option(default=1, kinds=int, range="[1, inf)")

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        params, _ = super().init(key, shape)
        matrix = _matrix(params["kernel"])
        names = {"left": matrix.shape[1], "right": matrix.shape[0]}
        start = {name: _unit(jax.random.normal(keys.named(key, name), (size,))) for name, size in names.items()}
        return params, _iterated(matrix, start, 15)

    def kernel(self, params: Params, state: State, key: jax.Array | None) -> tuple[jax.Array, State]:
        matrix = _matrix(params["kernel"])
        if key is not None:
            state = _iterated(jax.lax.stop_gradient(matrix), state, self.iterations)
        sigma = state["right"] @ matrix @ state["left"]
        return params["kernel"] / jnp.where(sigma == 0, 1.0, sigma), state


def _squares(kernel: jax.Array) -> jax.Array:
    """Squared length of each unit's weights."""
    return jnp.square(kernel).sum(tuple(range(kernel.ndim - 1)))


def _matrix(kernel: jax.Array) -> jax.Array:
    return kernel.reshape(-1, kernel.shape[-1])


def _unit(vector: jax.Array) -> jax.Array:
    return vector * jax.lax.rsqrt(jnp.maximum(jnp.square(vector).sum(), _LEAST))


def _iterated(matrix: jax.Array, state: dict[str, jax.Array], rounds: int) -> dict[str, jax.Array]:
    left, right = state["left"], state["right"]
    for _ in range(rounds):
        left = _unit(right @ matrix)
        right = _unit(matrix @ left)
    return {"left": left, "right": right}
