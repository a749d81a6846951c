"""Dropout: signals, channels, branches or weights that are left out at random while training."""

from dataclasses import KW_ONLY

import jax
import jax.numpy as jnp

from kilter.core.specs import number, option
from kilter.nn import masks
from kilter.nn.layer import Layer, Params, Shape, State
from kilter.nn.reweighted import Reweighted


class Dropping(Layer, abstract=True):
    """Base of layers that zero parts of a signal with probability ``rate`` while training.

    A member says which numbers share one draw, by the shape of the mask.
    """

    paddable = True
    transparent = True
    draws = True

    rate: float = number(default=0.5, range="[0, 1)", search=(0.0, 0.7))
    _: KW_ONLY
    inverted: bool = option(default=True, kinds=bool)

    def drawn(self, shape: Shape) -> Shape:
        """Shape of the mask for a batch of ``shape``; 1 along axes that share a draw."""
        raise NotImplementedError

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        if key is None:
            return (x if self.inverted else x * (1.0 - self.rate)), state
        kept = masks.keep(key, self.rate, self.drawn(x.shape))
        return jnp.where(kept, x / (1.0 - self.rate) if self.inverted else x, 0.0), state


class Dropout(Dropping):
    """Zeroes each number with probability ``rate`` while training and divides the rest by 1 - rate.

    The mean of every signal stays what it is at inference, where the layer does nothing (inverted dropout, section 10 of
    Srivastava et al. 2014). ``inverted=False`` is the paper's first form: training leaves the rest as it is and inference
    multiplies by 1 - rate. ``rate`` is the probability to drop, as in PyTorch and Keras, which are inverted; the paper's
    p is the probability to keep.

    Args:
        rate: probability to drop.
        inverted: whether training rather than inference makes up for what is dropped.
    """

    formula = "x m / (1 - rate),  m ~ Bernoulli(1 - rate) for each number"
    source = "Srivastava et al. 2014"
    choose = "Dense layers that overfit. The default."

    def drawn(self, shape: Shape) -> Shape:
        return shape


class SpatialDropout(Dropping):
    """Zeroes whole channels of an example with probability ``rate`` while training and divides the rest by 1 - rate.

    All positions of a channel share a draw. Tompson et al. 2015, section 3.2. PyTorch's ``Dropout1d`` and ``Dropout2d``,
    Keras's ``SpatialDropout1D`` and ``2D``. On examples without positions it is `Dropout`.

    Args:
        rate: probability to drop a channel.
        inverted: whether training rather than inference makes up for what is dropped.

    Shapes: ``(batch, ..., channels)`` to the same.
    """

    formula = "x m / (1 - rate),  m ~ Bernoulli(1 - rate) for each example and channel"
    source = "Tompson et al. 2015, section 3.2"
    choose = "Convolutional layers, where neighbors tell what a single dropped position was."

    def drawn(self, shape: Shape) -> Shape:
        return (shape[0], *(1,) * (len(shape) - 2), *shape[1:][-1:])


class StochasticDepth(Dropping):
    """Zeroes a whole example with probability ``rate`` while training and divides the rest by 1 - rate.

    Put last in the body of a ``Residual`` it drops the branch, and the example goes by the shortcut alone. Huang et al.
    2016, equation 2. The paper scales at inference (``inverted=False``); torchvision's ``StochasticDepth`` in mode "row"
    is inverted, as the default here.

    Args:
        rate: probability to drop an example.
        inverted: whether training rather than inference makes up for what is dropped.

    >>> from kilter import nn
    >>> nn.Residual(nn.Chain(nn.Dense(8), nn.ReLU(), nn.StochasticDepth(0.2)))
    nn.Residual(nn.Chain(nn.Dense(8), nn.ReLU(), nn.StochasticDepth(0.2)))
    """

    formula = "shortcut(x) + body(x) m / (1 - rate),  m ~ Bernoulli(1 - rate) for each example"
    source = "Huang et al. 2016, equation 2"
    choose = "Residual networks of dozens of layers and more, inside the bodies; grow the rate with depth."

    def drawn(self, shape: Shape) -> Shape:
        return (shape[0], *(1,) * (len(shape) - 1))


class GaussianDropout(Layer):
    """Multiplies each number while training by a draw from N(1, rate / (1 - rate)), whose variance is dropout's.

    Nothing to make up for at inference, where the layer does nothing. Srivastava et al. 2014, section 10; Keras's
    ``GaussianDropout``; PyTorch has none. Its normal numbers are threefry's, so it costs more than a mask.

    Args:
        rate: of the dropout that it stands for.
    """

    transparent = True
    draws = True
    formula = "x n,  n ~ N(1, rate / (1 - rate))"
    source = "Srivastava et al. 2014, section 10"
    choose = "In place of Dropout where no signal should vanish entirely."

    rate: float = number(default=0.5, range="[0, 1)", search=(0.0, 0.7))

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        if key is None:
            return x, state
        std = jnp.sqrt(jnp.asarray(self.rate / (1.0 - self.rate), x.dtype))
        return x * (1.0 + std * jax.random.normal(key, x.shape, x.dtype)), state


# SELU's value at minus infinity, minus its scale times its alpha (Klambauer et al. 2017, equation 14).
_SATURATED = -1.7580993408473766


class AlphaDropout(Layer):
    """Sets each number to SELU's lowest value s with probability ``rate`` while training, then maps all of them linearly.

    y = a (x or s) + b with a = ((1 - rate) (1 + rate s^2))^(-1/2) and b = -a rate s, so that mean 0 and variance 1 stay
    as they are. s = -1.7581. Klambauer et al. 2017, section 3. As in PyTorch and Keras.

    Args:
        rate: probability to drop.
    """

    paddable = True
    transparent = True
    draws = True
    formula = "a (x m + s (1 - m)) + b,  m ~ Bernoulli(1 - rate),  s = -1.7581"
    source = "Klambauer et al. 2017, section 3"
    choose = "Behind SELU, whose mean 0 and variance 1 it keeps; nowhere else."

    rate: float = number(default=0.1, range="[0, 1)", search=(0.0, 0.3))

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        if key is None:
            return x, state
        a = ((1.0 - self.rate) * (1.0 + self.rate * _SATURATED**2)) ** -0.5
        kept = masks.keep(key, self.rate, x.shape)
        return a * jnp.where(kept, x, _SATURATED) - a * self.rate * _SATURATED, state


class DropConnect(Reweighted):
    """Zeroes each weight of a layer's kernel with probability ``rate`` while training and divides the rest by 1 - rate.

    One mask for all examples of a batch; the paper draws one for each example, which costs as much as the layer for each,
    and samples at inference where here the weights stay whole (their mean). Wan et al. 2013, section 3. Neither PyTorch
    nor Keras has it.

    Args:
        layer: with a kernel ``(..., units)``, such as ``nn.Dense`` or ``nn.Conv``.
        rate: probability to drop.
    """

    paddable = True
    draws = True
    formula = "x (W m / (1 - rate)) + b,  m ~ Bernoulli(1 - rate) for each weight"
    source = "Wan et al. 2013, section 3"
    choose = "Wide dense layers where Dropout is too coarse; recurrent kernels."

    rate: float = number(default=0.5, range="[0, 1)", search=(0.0, 0.7))

    def kernel(self, params: Params, state: State, key: jax.Array | None) -> tuple[jax.Array, State]:
        kernel = params["kernel"]
        if key is None:
            return kernel, state
        return jnp.where(masks.keep(key, self.rate, kernel.shape), kernel / (1.0 - self.rate), 0.0), state
