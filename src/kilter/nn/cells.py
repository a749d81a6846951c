"""The famous recurrent cells: simple, LSTM, GRU and MGU."""

from dataclasses import KW_ONLY
from typing import ClassVar

import jax
import jax.numpy as jnp

from kilter.core.keys import named
from kilter.core.specs import number, option, part
from kilter.nn.activations import Activation, Sigmoid
from kilter.nn.layer import Params
from kilter.nn.over_time import Carry
from kilter.nn.recurrent import Blocks, Recur, Recurrent


class SimpleRNN(Recurrent):
    """h_t = f(x_t W + h_{t-1} U + b), with f the ``activation``.

    With a norm, h_t = f(norm(x_t W + h_{t-1} U) + b): of the sum, as Ba et al. 2016, equation 4. Elman 1990. PyTorch's
    ``RNN`` draws all weights from U(-1 / sqrt(units), 1 / sqrt(units)); Keras's ``SimpleRNN`` as here.

    Args:
        units: size of h.
        sequences, reverse, padding, dropout, recurrent_dropout, weight_dropout, variational, norm, activation, bias,
            initializer, recurrent_initializer, bias_initializer: as in `Recurrent`. With ``activation=nn.ReLU()`` and
            ``recurrent_initializer=nn.initializers.Identity()`` it is the IRNN of Le, Jaitly and Hinton 2015.

    Shapes: ``(batch, time, features)`` to ``(batch, units)``, with ``sequences`` to ``(batch, time, units)``.

    >>> import jax, jax.numpy as jnp
    >>> layer = SimpleRNN(8)
    >>> params, state = layer.init(jax.random.key(0), (28, 4))
    >>> layer.apply(params, state, jnp.ones((2, 28, 4)))[0].shape
    (2, 8)
    """

    formula = "h_t = f(x_t W + h_{t-1} U + b)"
    source = "Elman 1990, Finding Structure in Time"
    choose = "Short sequences, and to see gradients vanish; otherwise GRU or LSTM."
    joined = True

    def step(self, params: Params, sums: jax.Array, carry: Carry, recur: Recur) -> Carry:
        z = self.normed(params, "sums", sums + recur(carry[0]))
        return (self.activation(z + params["bias"] if self.norm is not None and self.bias else z),)


class Gated(Recurrent, abstract=True):
    """Base of cells with gates: all but the last block of columns open or shut something.

    Args:
        gate: activation of the gates; 0 is shut and 1 open.
    """

    _: KW_ONLY
    gate: Activation = part(default=Sigmoid(), kinds=Activation)

    def opened(self, sums: jax.Array) -> list[jax.Array]:
        """The gates, a block of ``units`` each; one call for all (LSTM 128 forward: 1.9 ms, 3.6 by one a gate)."""
        return jnp.split(self.gate(sums), sums.shape[-1] // self.units, axis=-1)

    def split(self, sums: jax.Array) -> list[jax.Array]:
        """Sums of the gates and of the candidate."""
        return jnp.split(sums, [sums.shape[-1] - self.units], axis=-1)


class LSTM(Gated):
    """c_t = f c_{t-1} + i tanh(g), h_t = o tanh(c_t); the gates i, f, o are sigmoids of x_t W + h_{t-1} U + b, as g is not.

    Columns of W, U and b are i, f, o, g. (PyTorch and Keras: i, f, g, o.) Hochreiter and Schmidhuber 1997, with the forget
    gate of Gers et al. 2000. With a norm, (i, f, o, g) are of norm(x_t W) + norm(h_{t-1} U) + b, each norm over all four
    blocks together, and h_t = o tanh(norm(c_t)): Ba et al. 2016, supplementary material.

    Args:
        units: size of h and c.
        gate: activation of i, f and o.
        forget_bias: what is added to the bias of f at the start, so that c is kept until the gate has learned to forget
            (Gers et al. 2000; Jozefowicz et al. 2015). PyTorch adds nothing. Without effect where ``bias`` is False.
        sequences, reverse, padding, dropout, recurrent_dropout, weight_dropout, variational, norm, activation, bias,
            initializer, recurrent_initializer, bias_initializer: as in `Recurrent`; ``activation`` is that of g and c.

    Shapes: ``(batch, time, features)`` to ``(batch, units)``, with ``sequences`` to ``(batch, time, units)``.

    >>> from kilter import nn
    >>> nn.Chain(nn.LSTM(64, sequences=True), nn.LSTM(64, dropout=0.2), nn.Dense(10))
    nn.Chain(nn.LSTM(64, sequences=True), nn.LSTM(64, dropout=0.2), nn.Dense(10))
    """

    formula = "c_t = f c_{t-1} + i tanh(g),  h_t = o tanh(c_t),  (i, f, o, g) of x_t W + h_{t-1} U + b"
    source = "Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000 (forget gate)"
    choose = "Long sequences; the safe choice where a GRU does not do."
    carries = 2
    blocks = (4,)

    _: KW_ONLY
    forget_bias: float = number(default=1.0, search=(0.0, 3.0))

    def biases(self, key: jax.Array) -> dict[str, jax.Array]:
        start = jnp.repeat(jnp.array([0.0, 1.0, 0.0, 0.0]) * self.forget_bias, self.units)
        return {"bias": super().biases(key)["bias"] + start}

    def norms(self) -> dict[str, Blocks]:
        return super().norms() | {"carry": (1,)}

    def step(self, params: Params, sums: jax.Array, carry: Carry, recur: Recur) -> Carry:
        h, c = carry
        gates, candidate = self.split(sums + recur(h))
        write, keep, show = self.opened(gates)
        c = keep * c + write * self.activation(candidate)
        return show * self.activation(self.normed(params, "carry", c)), c


class Resetting(Gated, abstract=True):
    """Base of cells that forget and write with one gate, and may leave h out of the candidate with another.

    Args:
        reset_after: apply the reset gate to h U rather than to h.
    """

    _: KW_ONLY
    reset_after: bool = option(default=True, kinds=bool)

    def reset_and_keep(self, gates: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The gates r and z, of their sums."""
        raise NotImplementedError

    def products(self) -> Blocks:
        return super().products() if self.reset_after else self.blocks

    def biases(self, key: jax.Array) -> dict[str, jax.Array]:
        drawn = super().biases(key)
        if self.reset_after:
            drawn["recurrent_bias"] = self.bias_initializer(named(key, "recurrent_bias"), (self.units,))
        return drawn

    def step(self, params: Params, sums: jax.Array, carry: Carry, recur: Recur) -> Carry:
        (h,) = carry
        gates, candidate = self.split(sums)
        if self.reset_after:
            more, recalled = self.split(recur(h))
            reset, keep = self.reset_and_keep(gates + more)
            recalled = reset * (recalled + params["recurrent_bias"] if self.bias else recalled)
        else:
            reset, keep = self.reset_and_keep(gates + recur(h))
            recalled = recur(reset * h, 1)
        return (keep * h + (1.0 - keep) * self.activation(candidate + recalled),)


class GRU(Resetting):
    """h_t = z h_{t-1} + (1 - z) tanh(n), n = x_t W_n + b_n + r (h_{t-1} U_n + c_n); r, z are sigmoids of their sums.

    Columns of W, U and b are r, z, n, as in PyTorch (Keras: z, r, n). With ``reset_after=False``, n = x_t W_n + b_n +
    (r h_{t-1}) U_n, as in Cho et al. 2014, equations 5 to 8; the default is cuDNN's form, as in PyTorch and Keras: one
    product a step. (Their further biases of r and z add up with b, so here there is one.) With a norm, (r, z) is of
    norm(x_t W) + norm(h_{t-1} U) + b, and so are the two sums of n, each by itself: Ba et al. 2016, supplementary material.

    Args:
        units: size of h.
        reset_after: apply r to h U rather than to h.
        gate: activation of r and z.
        sequences, reverse, padding, dropout, recurrent_dropout, weight_dropout, variational, norm, activation, bias,
            initializer, recurrent_initializer, bias_initializer: as in `Recurrent`.

    Shapes: ``(batch, time, features)`` to ``(batch, units)``, with ``sequences`` to ``(batch, time, units)``.

    >>> from kilter import nn
    >>> nn.GRU(32, reset_after=False, norm=nn.LayerNorm())
    nn.GRU(32, norm=nn.LayerNorm(), reset_after=False)
    """

    formula = "h_t = z h_{t-1} + (1 - z) tanh(x_t W_n + b_n + r (h_{t-1} U_n + c_n)),  (r, z) of x_t W + h_{t-1} U + b"
    source = "Cho et al. 2014, Learning Phrase Representations, equations 5 to 8"
    choose = "The first choice for sequences: as good as an LSTM on most, with three quarters of its weights."
    blocks: ClassVar[Blocks] = (2, 1)

    def reset_and_keep(self, gates: jax.Array) -> tuple[jax.Array, jax.Array]:
        reset, keep = self.opened(gates)
        return reset, keep


class MGU(Resetting):
    """h_t = (1 - f) h_{t-1} + f tanh(x_t W_n + (f h_{t-1}) U_n + b_n); the only gate f is a sigmoid of its sum.

    Columns of W, U and b are f, n. A `GRU` with r = f and z = 1 - f. With ``reset_after``, f multiplies h_{t-1} U_n + c_n
    in place of h, as in the GRU's default: one product a step. Norms are as in the GRU. PyTorch and Keras have no MGU.

    Args:
        units: size of h.
        reset_after: apply f to h U rather than to h.
        gate: activation of f.
        sequences, reverse, padding, dropout, recurrent_dropout, weight_dropout, variational, norm, activation, bias,
            initializer, recurrent_initializer, bias_initializer: as in `Recurrent`.

    Shapes: ``(batch, time, features)`` to ``(batch, units)``, with ``sequences`` to ``(batch, time, units)``.
    """

    formula = "h_t = (1 - f) h_{t-1} + f tanh(x_t W_n + (f h_{t-1}) U_n + b_n),  f of x_t W + h_{t-1} U + b"
    source = "Zhou, Wu, Zhang and Zhou 2016, Minimal Gated Unit for Recurrent Neural Networks"
    choose = "In place of a GRU with a third fewer weights."
    blocks: ClassVar[Blocks] = (1, 1)

    _: KW_ONLY
    reset_after: bool = option(default=False, kinds=bool)

    def reset_and_keep(self, gates: jax.Array) -> tuple[jax.Array, jax.Array]:
        (forget,) = self.opened(gates)
        return forget, 1.0 - forget
