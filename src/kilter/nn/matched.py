"""The default initializer: weights matched to the activation that follows."""

import math
from typing import Any

import jax

from kilter.core.specs import part
from kilter.core.values import Value
from kilter.nn import moments
from kilter.nn.initializer import Initializer, Shape, draw, fans


class Matched(Initializer):
    """Keeps the second moment of the signal through the activation that follows, whichever it is.

    Truncated normal with standard deviation gain / sqrt(fan_in), where gain = 1 / sqrt(E[f(z)^2]) for z ~ N(0, 1) is
    the activation's own, or computed by numerical integration; sqrt(2) for ReLU, as in He et al. 2015.

    Wide nets keep the second moment layer by layer. Small errors fade behind bounded activations, are passed on behind
    ReLU, and grow with depth behind those that bend towards it: by 1.08 (Mish), 1.14 (GELU), 1.17 (SiLU) a layer.

    Args:
        activation: the activation that follows; ``None`` stands for the identity (gain 1).
    """

    paddable = True
    formula = "N(0, gain^2 / fan_in), truncated; gain = 1 / sqrt(E[f(z)^2])"
    source = "He et al. 2015, for any activation; E[f(z)^2] as in Poole et al. 2016, Exponential expressivity"
    choose = "Always, unless there is a reason: it is what a layer draws when left open."

    activation: Any = part(default=None, kinds=Value, optional=True)

    def __call__(self, key: jax.Array, shape: Shape) -> jax.Array:
        return draw("truncated", key, shape, self.std(shape))

    def std(self, shape: Shape) -> Any:
        return self.gain() / math.sqrt(fans(shape)[0])

    def gain(self) -> Any:
        """Factor by which weights must grow to make up for what the activation takes from the signal."""
        if self.activation is None:
            return 1.0
        own = getattr(self.activation, "gain", None)
        return own() if callable(own) else moments.gain(self.activation)
