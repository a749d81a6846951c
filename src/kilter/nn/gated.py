"""Gated linear units: one half of the last axis opens or shuts the other."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.nn.activation import Activation, Bounds
from kilter.nn.layer import Params, Shape, State
from kilter.nn.sigmoids import Sigmoid
from kilter.nn.smooth import GELU, SiLU


class _Gated(Activation, abstract=True):
    """f(a, b) = a * gate(b), with a and b the first and second half of the last axis.

    Shapes: ``(batch, ..., 2 n)`` to ``(batch, ..., n)``.
    """

    bounds: ClassVar[Bounds] = (-math.inf, math.inf)
    elementwise = False
    opens: ClassVar[Activation]

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        self._check(shape)
        return (), ()

    def __call__(self, x: Any) -> jax.Array:
        a, b = self._halves(x)
        return a * self.opens(b)

    def derivative(self, x: Any) -> jax.Array:
        a, b = self._halves(x)
        eye = jnp.eye(a.shape[-1], dtype=a.dtype)
        by_a, by_b = self.opens(b), a * self.opens.derivative(b)
        return jnp.concatenate([by_a[..., None] * eye, by_b[..., None] * eye], axis=-1)

    def gain(self) -> Any:
        """The gate's: E[a^2 gate(b)^2] = E[gate(b)^2] for independent a and b of unit variance."""
        return self.opens.gain()

    def saturated(self, x: Any) -> jax.Array:
        """Nowhere in the first half; in the second, where the gate is."""
        a, b = self._halves(x)
        return jnp.concatenate([jnp.zeros(a.shape, bool), self.opens.saturated(b)], axis=-1)

    def _halves(self, x: Any) -> tuple[jax.Array, jax.Array]:
        x = jnp.asarray(x)
        self._check(x.shape)
        half = x.shape[-1] // 2
        return x[..., :half], x[..., half:]

    def _check(self, shape: Shape) -> None:
        if not shape or shape[-1] % 2:
            raise InputError(f"{self!r}: splits the last axis in two halves, so its size must be even, got {shape}")


class GLU(_Gated):
    """f(a, b) = a * sigmoid(b), with a and b the first and second half of the last axis.

    Shapes: ``(batch, ..., 2 n)`` to ``(batch, ..., n)``.

    Raises:
        InputError: the last axis is odd.
    """

    opens = Sigmoid()
    formula = "a * sigmoid(b)"
    source = "Dauphin, Fan, Auli and Grangier 2017, Language Modeling with Gated Convolutional Networks"
    choose = "For convolutions over sequences: the path through a stays linear."


class GEGLU(_Gated):
    """f(a, b) = a * GELU(b), with a and b the first and second half of the last axis.

    Shapes: ``(batch, ..., 2 n)`` to ``(batch, ..., n)``.

    Raises:
        InputError: the last axis is odd.
    """

    opens = GELU()
    formula = "a * GELU(b)"
    source = "Shazeer 2020, GLU Variants Improve Transformer, equation 6"
    choose = "In the dense blocks of transformers, with two thirds of the units."


class SwiGLU(_Gated):
    """f(a, b) = a * SiLU(b), with a and b the first and second half of the last axis.

    Shapes: ``(batch, ..., 2 n)`` to ``(batch, ..., n)``.

    Raises:
        InputError: the last axis is odd.
    """

    opens = SiLU()
    formula = "a * SiLU(b)"
    source = "Shazeer 2020, GLU Variants Improve Transformer, equation 6"
    choose = "In the dense blocks of language models (LLaMA, PaLM), with two thirds of the units."
