"""Self-attention: each step of a sequence takes up what it finds in the others."""

import math
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.keys import named
from kilter.core.specs import number, option, part
from kilter.nn import masks
from kilter.nn.initializers import Initializer, Matched
from kilter.nn.layer import Layer, Params, Shape, State
from kilter.nn.precision import narrowed
from kilter.nn.product import product
from kilter.nn.steps import real_steps
from kilter.nn.totals import spread


class MultiHeadAttention(Layer):
    """Self-attention of several heads: y = (h_1, h_2, ...) W_o + b_o, h = softmax(q k^T / sqrt(d)) v.

    q, k and v of each head are d = size / heads columns of x W + b, so that every step weighs all others by how well its
    query fits their keys. Vaswani et al. 2017, section 3.2, equation 1. As PyTorch's ``MultiheadAttention(features, heads,
    batch_first=True)`` on ``(x, x, x)``, whose ``in_proj_weight`` is W transposed; Keras keeps W as three kernels ``(in,
    heads, d)``. Attention weights are dropped after the softmax, and the rest divided by 1 - rate, as in both.

    Args:
        heads: number of heads; must divide ``size``.
        size: width of all heads together; left open, the features of the input.
        causal: whether a step sees only itself and those before it.
        rate: probability to drop an attention weight while training; left open, none is.
        padding: steps whose features all equal this number are not attended to, and give 0; left open, all are real.
        bias: whether b and b_o are learned (start at 0).
        initializer: how W, of shape ``(features, 3 * size)`` with q, k and v side by side and in each of them head after
            head, and W_o, of shape ``(size, features)``, are drawn; left open, they keep the second moment.

    Shapes: ``(batch, time, features)`` to the same. Parameters ``{"inputs": {"kernel": W, "bias": b}, "output": {"kernel":
    W_o, "bias": b_o}}``.

    Raises:
        InputError: by `init`, where the input is no sequence or ``heads`` does not divide the width.

    >>> import jax, jax.numpy as jnp
    >>> layer = MultiHeadAttention(2, causal=True)
    >>> layer.apply(*layer.init(jax.random.key(0), (5, 8)), jnp.ones((3, 5, 8)))[0].shape
    (3, 5, 8)
    """

    formula = "softmax(q k^T / sqrt(d)) v, heads side by side, then W_o"
    source = "Vaswani et al. 2017, section 3.2, equation 1"
    choose = (
        "Sequences where far steps belong together; needs positions (PositionEncoding), and time squared of memory."
    )

    heads: int = option(kinds=int, range="[1, inf)")
    size: int | None = option(default=None, kinds=int, range="[1, inf)", optional=True)
    _: KW_ONLY
    causal: bool = option(default=False, kinds=bool)
    rate: float | None = number(default=None, range="[0, 1)", search=(0.0, 0.5), optional=True)
    padding: float | None = number(default=None, optional=True)
    bias: bool = option(default=True, kinds=bool)
    initializer: Initializer = part(default=Matched(), kinds=Initializer)

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if len(shape) != 2:
            raise InputError(f"{self!r}: expects an input of shape (time, features), got {shape}")
        size = self.size or shape[1]
        if size % self.heads:
            raise InputError(f"{self!r}: heads={self.heads} must divide the width of {size}; change it or give size")
        thirds = [self.initializer(named(key, name), (shape[1], size)) for name in ("query", "key", "value")]
        kernels = {
            "inputs": jnp.concatenate(thirds, 1),
            "output": self.initializer(named(key, "output"), (size, shape[1])),
        }
        biases = {name: {"bias": jnp.zeros(kernel.shape[1])} if self.bias else {} for name, kernel in kernels.items()}
        return {name: {"kernel": kernel} | biases[name] for name, kernel in kernels.items()}, ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        real = None if self.padding is None else real_steps(x, self.padding)
        return self.attend(params, x, real, key), state

    def attend(self, params: Params, x: jax.Array, real: jax.Array | None, key: jax.Array | None) -> jax.Array:
        """Attention with the mask ``real`` ``(batch, time)`` of steps to attend to; None: all of them."""
        q, k, v = (self._heads(each) for each in jnp.split(_affine(params["inputs"], x), 3, -1))
        scores = _batched(q, k.swapaxes(1, 2)) / math.sqrt(q.shape[-1])
        seen = self._seen(len(x), x.shape[1], real)
        # The least finite number, not -inf: a row that sees nothing stays finite, forward and backward.
        scores = scores if seen is None else jnp.where(seen, scores, jnp.finfo(scores.dtype).min)
        weights = self._dropped(jax.nn.softmax(scores, -1), key)
        joined = self._joined(_batched(weights, v), len(x))
        y = _affine(params["output"], joined)
        return y if real is None else jnp.where(real[..., None], y, 0.0)

    def _heads(self, x: jax.Array) -> jax.Array:
        """``(batch, time, size)`` as ``(batch * heads, time, d)``: einsum's products are slower on a CPU."""
        batch, time, size = x.shape
        heads = x.reshape(batch, time, self.heads, size // self.heads).swapaxes(1, 2)
        return heads.reshape(batch * self.heads, time, -1)

    def _joined(self, x: jax.Array, batch: int) -> jax.Array:
        _, time, width = x.shape
        return x.reshape(batch, self.heads, time, width).swapaxes(1, 2).reshape(batch, time, -1)

    def _seen(self, batch: int, time: int, real: jax.Array | None) -> jax.Array | None:
        """Which keys (last axis) a query sees, in the shape of the scores or one that spreads over them."""
        before = jnp.tril(jnp.ones((time, time), bool)) if self.causal else None
        if real is None:
            return before
        keys = jnp.repeat(real, self.heads, axis=0)[:, None]
        return keys if before is None else keys & before

    def _dropped(self, weights: jax.Array, key: jax.Array | None) -> jax.Array:
        if key is None or self.rate is None:
            return weights
        return jnp.where(masks.keep(key, self.rate, weights.shape), weights / (1.0 - self.rate), 0.0)


_batched = narrowed(jax.lax.batch_matmul)


def _affine(params: Any, x: jax.Array) -> jax.Array:
    """X W + b."""
    y = product(x, params["kernel"])
    return y + spread(params["bias"], y.shape, carried=True) if "bias" in params else y
