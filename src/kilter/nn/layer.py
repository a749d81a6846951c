"""The contract of a layer: a frozen value with two pure methods, and no train or eval flags."""

from dataclasses import KW_ONLY
from typing import Any, ClassVar, Self

import jax
import numpy as np

from kilter.core.keys import named
from kilter.core.specs import option, part
from kilter.core.values import Value
from kilter.nn.initializers import Initializer, Matched, Zeros

Shape = tuple[int, ...]
Params = Any
State = Any


class Layer(Value, abstract=True):
    """Base of all layers.

    Class attributes:
        transparent: whether a signal's scale passes through to what follows (dropout, pooling, norms), so that a layer
            in front looks past it for the activation that it should be matched to.
        draws: whether a key makes the layer draw at random.
        adapts: whether a key makes it follow the batch, or moves the averages that it keeps.
    """

    home: ClassVar[str] = "nn"
    transparent: ClassVar[bool] = False
    draws: ClassVar[bool] = False
    adapts: ClassVar[bool] = False

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        """Draw parameters and make the starting state.

        Args:
            key: random key of this layer.
            shape: shape of one example, without the batch axis.

        Returns:
            Parameters (what gradients change) and state (what the forward pass changes); either may be empty.

        Raises:
            InputError: the shape does not fit the layer.
        """
        return (), ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        """Run the layer on a batch.

        Args:
            params: as made by `init`.
            state: as made by `init` or by the previous step.
            x: batch of shape ``(batch, *shape)``.
            key: random key of this layer and step while training; ``None`` means inference.
        """
        raise NotImplementedError

    def followed_by(self, activation: "Layer | None") -> Self:
        """The layer with what the user left open matched to the activation that follows (``None``: nothing follows)."""
        return self


class Weighted(Layer, abstract=True):
    """Base of layers with a kernel and perhaps a bias.

    Args:
        bias: whether an offset per unit is learned.
        initializer: how the kernel is drawn; left open, it is matched to the activation that follows.
        bias_initializer: how the bias is drawn.
    """

    _: KW_ONLY
    bias: bool = option(default=True, kinds=bool)
    initializer: Initializer | None = part(default=None, kinds=Initializer, optional=True)
    bias_initializer: Initializer = part(default=Zeros(), kinds=Initializer)

    def followed_by(self, activation: Layer | None) -> Self:
        return self.replace(initializer=Matched(activation)) if self.initializer is None else self

    def _draw(self, key: jax.Array, kernel: Shape) -> dict[str, jax.Array]:
        """Kernel and bias for a kernel of shape ``(*window, in, units)``."""
        params = {"kernel": (self.initializer or Matched())(named(key, "kernel"), kernel)}
        if self.bias:
            params["bias"] = self.bias_initializer(named(key, "bias"), kernel[-1:])
        return params


def output_shape(layer: Layer, params: Params, state: State, shape: Shape) -> Shape:
    """Shape of one example after the layer, without running it."""
    example = jax.ShapeDtypeStruct((2, *shape), np.float32)
    output, _ = jax.eval_shape(layer.apply, params, state, example)
    return tuple(output.shape[1:])


def shapes(layer: Layer, shape: Shape) -> tuple[Params, State, Shape]:
    """Abstract parameters, state and output shape of a layer on examples of ``shape``; nothing is drawn or run.

    Raises:
        InputError: the shape does not fit; names the layer's path.
    """
    params, state = jax.eval_shape(lambda key: layer.init(key, shape), jax.random.key(0))
    return params, state, output_shape(layer, params, state, shape)
