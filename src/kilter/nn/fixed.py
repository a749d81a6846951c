"""Initializers that draw nothing: all weights known beforehand."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from kilter.core.specs import number
from kilter.nn.initializer import Initializer, Shape, center, check_kernel


class Zeros(Initializer):
    """All weights zero: right for biases, never for kernels, whose units would stay equal."""

    paddable = True
    formula = "0"
    source = "Rumelhart, Hinton and Williams 1986, on why weights must break the symmetry"
    choose = "For biases, and for the last layer of a residual branch or of a regression."

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        return jnp.zeros(shape, jnp.float32)

    def std(self, shape: Shape) -> float:
        return 0.0


class Constant(Initializer):
    """All weights equal ``value``. Units of a layer then stay equal for ever; for biases, and to see why it fails."""

    paddable = True
    formula = "value"
    source = "Gers, Schmidhuber and Cummins 2000, Learning to Forget (biases of forget gates)"
    choose = "For biases that should start elsewhere than at zero, such as forget gates at 1."

    value: float = number()

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        return jnp.full(shape, self.value, jnp.float32)

    def std(self, shape: Shape) -> float:
        return 0.0


class Identity(Initializer):
    """The layer starts as gain * x: ones on the diagonal of (in, out), in the middle of a window, zeros elsewhere.

    Where in and out differ, the first of them pass and the others start at zero. (Keras: 2D only; PyTorch: ``eye_`` and
    ``dirac_``.)

    Args:
        gain: the ones' size.

    Raises:
        InputError: the shape is no kernel.
    """

    formula = "gain on the diagonal, 0 elsewhere"
    source = "Le, Jaitly and Hinton 2015, A Simple Way to Initialize Recurrent Networks of Rectified Linear Units"
    choose = "For the recurrent kernel of ReLU nets, and for layers that should first pass their input on."

    gain: float = number(default=1.0, range="(0, inf)", scale="log", search=(0.1, 2.0))

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        check_kernel(self, shape)
        return jnp.zeros(shape, jnp.float32).at[center(shape)].set(self.gain * jnp.eye(shape[-2], shape[-1]))

    def std(self, shape: Shape) -> Any:
        """Gain * sqrt(p (1 - p)), where p is the share of ones; their mean, gain * p, is not zero."""
        check_kernel(self, shape)
        share = min(shape[-2:]) / math.prod(shape)
        return self.gain * (share * (1.0 - share)) ** 0.5
