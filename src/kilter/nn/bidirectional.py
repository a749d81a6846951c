"""A recurrent layer and its mirror image, side by side."""

import jax
import jax.numpy as jnp

from kilter.core.keys import named
from kilter.core.specs import part
from kilter.nn.layer import Layer, Params, Shape, State
from kilter.nn.recurrent import Recurrent


class Bidirectional(Layer):
    """The outputs of a recurrent layer and of the same layer run the other way, with weights of its own, side by side.

    Without ``sequences`` these are the last output of each: at the last time and at the first one. Schuster and Paliwal
    1997. PyTorch's ``bidirectional=True``; Keras's ``Bidirectional`` with ``merge_mode="concat"``.

    Args:
        layer: run forward; its mirror image has ``reverse`` the other way round. Times that are ``padding`` are skipped by
            both, so that padding at the end does not come before the sequence on the way back.

    Shapes: ``(batch, time, features)`` to ``(batch, 2 units)``, with ``sequences`` to ``(batch, time, 2 units)``.

    >>> import jax, jax.numpy as jnp
    >>> from kilter import nn
    >>> layer = nn.Bidirectional(nn.GRU(8, sequences=True))
    >>> params, state = layer.init(jax.random.key(0), (5, 3))
    >>> layer.apply(params, state, jnp.ones((2, 5, 3)))[0].shape
    (2, 5, 16)
    """

    formula = "(forward(x), backward(x))"
    source = "Schuster and Paliwal 1997, Bidirectional Recurrent Neural Networks"
    choose = "The whole sequence is there before an answer is needed: classes, tags; not forecasts."

    layer: Recurrent = part(kinds=Recurrent)

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        return {name: layer.init(named(key, name), shape)[0] for name, layer in self._both().items()}, ()

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        outputs = [
            layer.apply(params[name], (), x, key=None if key is None else named(key, name))[0]
            for name, layer in self._both().items()
        ]
        return jnp.concatenate(outputs, axis=-1), state

    def _both(self) -> dict[str, Recurrent]:
        return {"forward": self.layer, "backward": self.layer.replace(reverse=not self.layer.reverse)}
