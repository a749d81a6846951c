"""The transformer block: attention and a dense net, each behind a norm and around a shortcut."""

from dataclasses import KW_ONLY
from typing import Any

import jax

from kilter.core import keys
from kilter.core.errors import InputError, within
from kilter.core.specs import number, option, part
from kilter.nn.activations import Activation, ReLU
from kilter.nn.attention import MultiHeadAttention
from kilter.nn.compose import Chain
from kilter.nn.dense import Dense
from kilter.nn.dropout import Dropout
from kilter.nn.layer import Layer, Params, Shape, State, output_shape
from kilter.nn.layer_norms import LayerNorm
from kilter.nn.steps import keep_padding, real_steps


class TransformerBlock(Layer):
    """A pre-norm block of a transformer's encoder: z = x + MHA(norm(x)), y = z + W_2 f(W_1 norm(z) + b_1) + b_2.

    Without padding it is ``nn.Residual(nn.Chain(norm, nn.MultiHeadAttention(heads), nn.Dropout(rate)))`` and ``nn.Residual(
    nn.Chain(norm, nn.Dense(units), f, nn.Dropout(rate), nn.Dense(features), nn.Dropout(rate)))`` one after the other; build
    others of these parts. With ``causal`` it is a decoder's, as of GPT-2. Vaswani et al. 2017, figure 1, with
    the norm in front: Xiong et al. 2020, figure 1b. PyTorch's ``TransformerEncoderLayer(norm_first=True)``.

    Behind the last block of a stack, put one more norm.

    Args:
        heads: number of heads; must divide the features.
        units: of the dense net's hidden layer; left open, four times the features (PyTorch: 2048).
        rate: probability to drop, for attention weights, hidden units and both branches; left open, nothing is.
        causal: whether a step sees only itself and those before it.
        padding: steps whose features all equal this number are not attended to and stay as they are, so that the next block
            knows them again; left open, all steps are real.
        activation: f.
        norm: the norm in front of both branches.

    Shapes: ``(batch, time, features)`` to the same.

    Raises:
        InputError: by `init`, where the input is no sequence or ``heads`` does not divide the features.

    >>> from kilter import nn
    >>> front = nn.Chain(nn.Embedding(1000, 32, padding=0), nn.PositionEncoding(padding=0.0))
    >>> nn.layer.shapes(nn.Chain(front, nn.TransformerBlock(4, padding=0.0)), (20,))[2]
    (20, 32)
    """

    formula = "z = x + MHA(norm(x));  y = z + W_2 f(W_1 norm(z) + b_1) + b_2"
    source = "Vaswani et al. 2017, figure 1; norm in front: Xiong et al. 2020, figure 1b"
    choose = "Sequences with thousands of examples and more; stacked two to twelve times, with a warmup."

    heads: int = option(kinds=int, range="[1, inf)")
    units: int | None = option(default=None, kinds=int, range="[1, inf)", optional=True)
    _: KW_ONLY
    rate: float | None = number(default=None, range="[0, 1)", search=(0.0, 0.5), optional=True)
    causal: bool = option(default=False, kinds=bool)
    padding: float | None = number(default=None, optional=True)
    activation: Activation = part(default=ReLU(), kinds=Activation)
    norm: Layer = part(default=LayerNorm(), kinds=Layer)

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        if len(shape) != 2:
            raise InputError(f"{self!r}: expects an input of shape (time, features), got {shape}")
        drawn = {}
        for name, layer in self._branches(shape[1]).items():
            with within(name):
                params, state = layer.init(keys.named(key, name), shape)
                if output_shape(layer, params, state, shape) != shape:
                    raise InputError(f"{self!r}: the norm must keep the shape {shape}")
            drawn[name] = params, state
        return {name: pair[0] for name, pair in drawn.items()}, {name: pair[1] for name, pair in drawn.items()}

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        branches, after = self._branches(x.shape[-1]), {}

        def run(name: str, x: jax.Array) -> jax.Array:
            own = None if key is None else keys.named(key, name)
            y, after[name] = branches[name].apply(params[name], state[name], x, key=own)
            return y

        own = None if key is None else keys.named(key, "weights")
        real = None if self.padding is None else real_steps(x, self.padding)
        attended = self._attention().attend(params["attention"], run("norm", x), real, own)
        after["attention"] = state["attention"]
        z = x + self._drop(attended, key)
        return keep_padding(z + run("dense", z), x, self.padding), after

    def _branches(self, features: int) -> dict[str, Any]:
        drop = () if self.rate is None else (Dropout(self.rate),)
        hidden = Dense(self.units or 4 * features)
        dense = Chain(self.norm, hidden, self.activation, *drop, Dense(features), *drop)
        return {"norm": self.norm, "attention": self._attention(), "dense": dense}

    def _attention(self) -> MultiHeadAttention:
        return MultiHeadAttention(self.heads, causal=self.causal, rate=self.rate)

    def _drop(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        if self.rate is None or key is None:
            return x
        return Dropout(self.rate).apply((), (), x, key=keys.named(key, "attended"))[0]
