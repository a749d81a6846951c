"""The contract of recurrent layers: the weights of a cell, and its step taken over time."""

from collections.abc import Callable
from dataclasses import KW_ONLY
from itertools import accumulate, pairwise
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from kilter.core.errors import InputError
from kilter.core.keys import named
from kilter.core.specs import number, option, part
from kilter.core.spreading import ways
from kilter.nn import masks
from kilter.nn.activations import Activation, Tanh
from kilter.nn.initializers import GlorotUniform, Initializer, Orthogonal, Zeros
from kilter.nn.layer import Layer, Params, Shape, State
from kilter.nn.layer_norms import ExampleNorm
from kilter.nn.over_time import Carry, Multiply, over_time, saved
from kilter.nn.product import product
from kilter.nn.steps import real_steps

Blocks = tuple[int, ...]
Recur = Callable[..., jax.Array]


class Recurrent(Layer, abstract=True):
    """Base of recurrent layers: a carry that starts at zero goes through the same step at every time.

    With x_t the input at time t, a cell is made of the sums a_t = x_t W + b, one product for all times, and h_{t-1} U,
    one a step. One of your own declares ``blocks``, ``carries`` and ``step``.

    Args:
        units: size of the output h, and of every gate.
        sequences: give h at every time rather than the last one (Keras's ``return_sequences``).
        reverse: go from the last time to the first; outputs stay in the order of the inputs (Keras's ``go_backwards``
            turns them), and the last output is that at the first time.
        padding: times at which all features equal this number, as they reach the layer, are skipped, as behind Keras's
            ``Masking``: the carry stays, so the last output is that of the last real time. With ``sequences``, outputs
            there are ``padding`` again, so that a next layer skips them too (Keras repeats the output and hands a mask on).
        dropout: rate at which inputs are dropped while training, anew at every time (Zaremba et al. 2014). ``None``, here
            and below, draws nothing and costs nothing.
        recurrent_dropout: rate at which h is dropped on its way to U, anew at every time.
        weight_dropout: rate at which the entries of U are dropped, once a batch (Merity et al. 2018, section 2).
        variational: draw the masks of ``dropout`` and ``recurrent_dropout`` once for all times, as Gal and Ghahramani 2016
            do (equation 7: one mask for all gates), and Keras.
        norm: of the sums, such as ``nn.LayerNorm()``; each cell says of which. One a_t, another h_{t-1} U.
        activation: of what is written to the carry; works on single numbers and learns nothing.
        bias: whether b is learned. PyTorch has two of it, which add up.
        initializer: of W ``(features, blocks * units)``, drawn for each block by itself (Keras: for all at once).
        recurrent_initializer: of U ``(units, blocks * units)``, drawn for each block by itself.
        bias_initializer: of b ``(blocks * units,)``.

    Shapes: ``(batch, time, features)`` to ``(batch, units)``, with ``sequences`` to ``(batch, time, units)``.

    Raises:
        InputError: by `init`, where an example is not ``(time, features)`` or an activation does not fit.

    Class attributes:
        carries: number of arrays that go from time to time; the first is h.
        blocks: number of blocks of ``units`` columns of W and U, by what a norm takes together.
        joined: whether a norm is of a_t + h_{t-1} U rather than of each.
    """

    carries: ClassVar[int] = 1
    blocks: ClassVar[Blocks] = (1,)
    joined: ClassVar[bool] = False

    units: int = option(kinds=int, range="[1, inf)")
    _: KW_ONLY
    sequences: bool = option(default=False, kinds=bool)
    reverse: bool = option(default=False, kinds=bool)
    padding: float | None = number(default=None, optional=True)
    dropout: float | None = number(default=None, range="[0, 1)", search=(0.0, 0.7), optional=True)
    recurrent_dropout: float | None = number(default=None, range="[0, 1)", search=(0.0, 0.7), optional=True)
    weight_dropout: float | None = number(default=None, range="[0, 1)", search=(0.0, 0.7), optional=True)
    variational: bool = option(default=False, kinds=bool)
    norm: ExampleNorm | None = part(default=None, kinds=ExampleNorm, optional=True)
    activation: Activation = part(default=Tanh(), kinds=Activation)
    bias: bool = option(default=True, kinds=bool)
    initializer: Initializer = part(default=GlorotUniform(), kinds=Initializer)
    recurrent_initializer: Initializer = part(default=Orthogonal(), kinds=Initializer)
    bias_initializer: Initializer = part(default=Zeros(), kinds=Initializer)

    def step(self, params: Params, sums: jax.Array, carry: Carry, recur: Recur) -> Carry:
        """The carry after one time.

        Args:
            params: of the layer.
            sums: a_t ``(batch, blocks * units)``; normed, or if ``joined`` with a norm, x_t W without either.
            carry: arrays ``(batch, units)``; the first is h.
            recur: ``recur(h)`` is h U, after dropout and norm; ``recur(h, i)`` where there are several `products`.
        """
        raise NotImplementedError

    def products(self) -> Blocks:
        """Numbers of blocks of U that are multiplied at once; several where they do not all meet the same signal."""
        return (sum(self.blocks),)

    def biases(self, key: jax.Array) -> dict[str, jax.Array]:
        """What is learned with ``bias``."""
        return {"bias": self.bias_initializer(named(key, "bias"), (sum(self.blocks) * self.units,))}

    def norms(self) -> dict[str, Blocks]:
        """Norms by name: the blocks that each takes together."""
        return {"sums": self.blocks} if self.joined else {"inputs": self.blocks, "recurrent": self.blocks}

    def normed(self, params: Params, name: str, z: jax.Array, first: int = 0) -> jax.Array:
        """``z (batch, columns)`` after its norms by that name, from the one at place ``first``; as it is without a norm."""
        if self.norm is None:
            return z
        done, own, column = [], params["norms"][name][first:], 0
        for count, p in zip(self.norms()[name][first:], own, strict=True):
            done.append(self.norm.apply(p, (), z[:, column : column + count * self.units])[0])
            column += count * self.units
            if column == z.shape[-1]:
                break
        return jnp.concatenate(done, axis=-1)

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if len(shape) != 2:
            raise InputError(f"{self!r}: expects an input of shape (time, features), got {shape}")
        for name, value in ((name, getattr(self, name)) for name in self._leaves):
            if isinstance(value, Activation) and (not value.elementwise or value.init(key, (self.units,))[0]):
                raise InputError(f"{self!r}: {name} must work on single numbers and learn nothing, as nn.Tanh() does")
        params = {
            "kernel": self._drawn(self.initializer, named(key, "kernel"), shape[-1]),
            "recurrent_kernel": self._drawn(self.recurrent_initializer, named(key, "recurrent_kernel"), self.units),
        }
        params |= self.biases(key) if self.bias else {}
        if self.norm is None:
            return params, ()
        norms = {
            name: tuple(self.norm.init(key, (count * self.units,))[0] for count in counts)
            for name, counts in self.norms().items()
        }
        return params | {"norms": norms}, ()

    def _drawn(self, initializer: Initializer, key: jax.Array, inputs: int) -> jax.Array:
        keys = jax.random.split(key, sum(self.blocks))
        blocks = jax.vmap(lambda key: initializer(key, (inputs, self.units)))(keys)
        return blocks.swapaxes(0, 1).reshape(inputs, -1)

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        x, real = x.swapaxes(0, 1), None
        if self.padding is not None:
            real = real_steps(x, self.padding)[..., None]
            x = jnp.where(real, x, 0.0)  # a norm of large numbers may overflow, and zero times inf is no gradient
        kept = self._kept("inputs", self.dropout, key, x.shape)
        sums = self._sums(params, _dropped(x, kept, self.dropout))
        kept = self._kept("recurrent", self.recurrent_dropout, key, (*x.shape[:2], self.units))
        start = (jnp.zeros((x.shape[1], self.units), x.dtype),) * self.carries
        kernels = self._kernels(params, key)
        found: tuple[Carry, jax.Array | None] = over_time(
            _step, (self, params), kernels, start, (sums, kept), real, self.reverse, self.sequences
        )
        last, outputs = found
        if outputs is None:
            return last[0], state
        return (outputs if real is None else jnp.where(real, outputs, jnp.asarray(self.padding))).swapaxes(0, 1), state

    def _kept(self, name: str, rate: Any, key: jax.Array | None, shape: Shape) -> jax.Array | None:
        """Mask ``(time, batch, columns)``, one for all times where variational; None where nothing is dropped."""
        if key is None or rate is None:
            return None
        drawn = (1, *shape[1:]) if self.variational else shape
        return jnp.broadcast_to(masks.keep(named(key, name), rate, drawn), shape)

    def _sums(self, params: Params, x: jax.Array) -> jax.Array:
        """a_t for all times at once, ``(time, batch, blocks * units)``; without b where each step adds it."""
        rows_apart = ways() > 1  # on several devices: each keeps all times of its own, and the gradient of b is one sum
        x = x.swapaxes(0, 1) if rows_apart else x
        z = product(x.reshape(-1, x.shape[-1]), params["kernel"])
        if not self.normed_whole:
            z = self.normed(params, "inputs", z)
            z = z + params["bias"] if self.bias and rows_apart else z
        z = z.reshape(*x.shape[:2], -1)
        return z.swapaxes(0, 1) if rows_apart else z

    @property
    def normed_whole(self) -> bool:
        """Whether it is the sum of both products that is normed, before b."""
        return self.joined and self.norm is not None

    def _kernels(self, params: Params, key: jax.Array | None) -> tuple[jax.Array, ...]:
        """What signals are multiplied with, out of U; cut once, not every step."""
        kernel = params["recurrent_kernel"]
        if key is not None and self.weight_dropout is not None:
            kept_weights = masks.keep(named(key, "weights"), self.weight_dropout, kernel.shape)
            kernel = _dropped(kernel, kept_weights, self.weight_dropout)
        ends = list(accumulate(self.products(), initial=0))
        return tuple(kernel[:, a * self.units : b * self.units] for a, b in pairwise(ends))


def _step(learned: tuple[Recurrent, Params], carry: Carry, given: Any, multiply: Multiply) -> Carry:
    """The carry of a layer after one time."""
    (layer, params), (sums, kept) = learned, given
    if (
        layer.bias and not layer.normed_whole and ways() == 1
    ):  # not for all times at once: 12 % less of an LSTM's update
        sums = sums + params["bias"]

    def recur(h: jax.Array, place: int = 0) -> jax.Array:
        z = saved(multiply(_dropped(h, kept, layer.recurrent_dropout), place))
        return z if layer.joined else layer.normed(params, "recurrent", z, place)

    return layer.step(params, sums, carry, recur)


def _dropped(x: jax.Array, kept: jax.Array | None, rate: Any) -> jax.Array:
    """Inverted dropout with a mask; ``x`` itself without one."""
    return x if kept is None else jnp.where(kept, x / (1.0 - rate), 0.0)
