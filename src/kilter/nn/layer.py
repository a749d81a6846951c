"""The contract of a layer: a frozen value with two pure methods, and no train or eval flags."""

from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any, ClassVar, Self

import jax
import numpy as np

from kilter.core.keys import named
from kilter.core.listed import Listed
from kilter.core.remembered import remembered
from kilter.core.specs import option, part
from kilter.nn.initializers import Initializer, Matched, Zeros
from kilter.nn.totals import spread

Shape = tuple[int, ...]
Params = Any
State = Any
# What is done at a layer: (layer, params, state, x, key, place) to (params, state, y).
Visit = Callable[["Layer", Params, State, Any, jax.Array | None, str], tuple[Params, State, Any]]


class Layer(Listed, abstract=True):
    """Base of all layers.

    Class attributes:
        transparent: whether a signal's scale passes through to what follows (dropout, pooling, norms), so that a layer
            in front looks past it for the activation that it should be matched to.
        centers: whether the mean over the batch or over positions is taken off each feature, so that an offset added right
            in front has no effect.
        draws: whether a key makes the layer draw at random.
        adapts: whether a key makes it follow the batch, or moves the averages that it keeps.
        paddable: whether features put behind the others, with parameters of zero for them, change nothing for these:
            outputs, gradients, state and what is drawn, at the start and with a key. What it gives for padded features,
            and the gradients of their parameters, mean nothing. `kilter.core.padding.paddable` asks all layers inside;
            layers that hold others name keys after sizes, which `kilter.nn.molded` therefore takes as numbers.
    """

    home: ClassVar[str] = "nn"
    transparent: ClassVar[bool] = False
    centers: ClassVar[bool] = False
    draws: ClassVar[bool] = False
    adapts: ClassVar[bool] = False
    paddable: ClassVar[bool] = False

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

    def visit(
        self, do: Visit, params: Params, state: State, x: Any, *, key: jax.Array | None = None, place: str = ""
    ) -> tuple[Params, State, Any]:
        """Run the layer with ``do`` in place of `apply` on every layer inside that holds no other; here, on itself.

        Args:
            do: gets a layer, its parameters, state, input, key and place, and returns parameters, state and output.
            params: as for `apply`.
            state: as for `apply`.
            x: as for `apply`.
            key: as for `apply`.
            place: path of this layer, such as ``"layers[1].body"``.

        Returns:
            Parameters and state as ``do`` left them, and the output.
        """
        return do(self, params, state, x, key, place)

    def followed_by(self, activation: "Layer | None") -> Self:
        """The layer with what the user left open matched to the activation that follows (``None``: nothing follows)."""
        return self

    def without_bias(self) -> Self:
        """The layer with no offset added to its outputs, where the user left that open."""
        return self


class Weighted(Layer, abstract=True):
    """Base of layers with a kernel and perhaps a bias.

    Args:
        bias: whether an offset per unit is learned; left open, unless a norm right behind takes the mean off again.
        initializer: how the kernel is drawn; left open, it is matched to the activation that follows.
        bias_initializer: how the bias is drawn.
    """

    _: KW_ONLY
    bias: bool | None = option(default=None, kinds=bool, optional=True)
    initializer: Initializer | None = part(default=None, kinds=Initializer, optional=True)
    bias_initializer: Initializer = part(default=Zeros(), kinds=Initializer)

    def followed_by(self, activation: Layer | None) -> Self:
        return self.replace(initializer=Matched(activation)) if self.initializer is None else self

    def without_bias(self) -> Self:
        return self.replace(bias=False) if self.bias is None else self

    def _draw(self, key: jax.Array, kernel: Shape) -> dict[str, jax.Array]:
        """Kernel and bias for a kernel of shape ``(*window, in, units)``."""
        params = {"kernel": (self.initializer or Matched())(named(key, "kernel"), kernel)}
        if self.bias is not False:
            params["bias"] = self.bias_initializer(named(key, "bias"), kernel[-1:])
        return params

    def _shifted(self, params: dict[str, jax.Array], y: jax.Array) -> jax.Array:
        """Outputs with the offset, where there is one."""
        return y + spread(params["bias"], y.shape, carried=True) if "bias" in params else y


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
    return _shapes(layer, tuple(shape))


@remembered(numbers=False)
def _shapes(layer: Layer, shape: Shape) -> tuple[Params, State, Shape]:
    key = jax.eval_shape(jax.random.key, 0)  # nothing is computed, so nothing compiles
    params, state = jax.eval_shape(lambda key: layer.init(key, shape), key)
    return params, state, output_shape(layer, params, state, shape)
