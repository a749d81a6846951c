"""Where a step stands in its sequence, added to its features: learned, or as waves."""

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core.errors import InputError
from kilter.core.keys import named
from kilter.core.specs import number, part
from kilter.nn.initializers import Initializer, Normal
from kilter.nn.layer import Layer, Params, Shape, State
from kilter.nn.steps import keep_padding


class PositionEmbedding(Layer):
    """y_t = x_t + P_t, with a learned vector for each step t.

    Sequences must have the length that the layer was made for, or a shorter one. PyTorch has none; KerasHub's
    ``PositionEmbedding`` gives P alone.

    Args:
        initializer: how P, of shape ``(time, features)``, is drawn; N(0, 0.02^2) as in BERT and GPT-2.
        padding: steps whose features all equal this number stay as they are; left open, all steps are real.

    Shapes: ``(batch, time, features)`` to the same. Parameters ``{"table": (time, features)}``.

    Raises:
        InputError: by `init`, where the input is no sequence.
    """

    formula = "x_t + P_t, P learned"
    source = "Gehring et al. 2017, section 3.1; Devlin et al. 2019 (BERT)"
    choose = "In front of attention where all sequences are of about one length, such as patches of images."

    initializer: Initializer = part(default=Normal(0.02), kinds=Initializer)
    padding: float | None = number(default=None, optional=True)

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        _check(self, shape)
        return {"table": self.initializer(named(key, "table"), shape)}, ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        if x.shape[1] > len(params["table"]):
            raise InputError(f"{self!r}: was made for {len(params['table'])} steps, but the input has {x.shape[1]}")
        return keep_padding(x + params["table"][: x.shape[1]], x, self.padding), state


class PositionEncoding(Layer):
    """y_t = x_t + P_t with P_(t, 2 i) = sin(t / base^(2 i / d)) and P_(t, 2 i + 1) = cos of the same, d features.

    Nothing is learned, and sequences may have any length. The paper multiplies embeddings by sqrt(d) first, so that they
    are not drowned; `Embedding` starts at variance 1, about that of P (1/2), and needs no factor. Keras has
    KerasHub's ``SinePositionEncoding``; PyTorch has none.

    Args:
        base: the longest wave is about 2 pi base steps.
        padding: steps whose features all equal this number stay as they are; left open, all steps are real.

    Shapes: ``(batch, time, features)`` to the same.

    Raises:
        InputError: by `init`, where the input is no sequence.
    """

    formula = "x_t + P_t,  P_(t, 2i) = sin(t / base^(2i/d)),  P_(t, 2i+1) = cos(t / base^(2i/d))"
    source = "Vaswani et al. 2017, section 3.5"
    choose = "In front of attention. The default: nothing to learn, any length."

    base: float = number(default=10_000.0, range="(1, inf)", scale="log", search=(100.0, 100_000.0))
    padding: float | None = number(default=None, optional=True)

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        _check(self, shape)
        return (), ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        time, features = x.shape[1:]
        pairs = np.arange(0, features, 2) / features
        turns = np.arange(time)[:, None] * jnp.exp(-pairs * jnp.log(self.base)).astype(x.dtype)
        waves = jnp.stack([jnp.sin(turns), jnp.cos(turns)], -1).reshape(time, -1)[:, :features]
        return keep_padding(x + waves.astype(x.dtype), x, self.padding), state


def _check(layer: Layer, shape: Shape) -> None:
    if len(shape) != 2:
        raise InputError(f"{layer!r}: expects an input of shape (time, features), got {shape}")
