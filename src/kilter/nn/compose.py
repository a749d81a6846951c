"""Layers made of layers: one after the other, and around a shortcut."""

from collections.abc import Iterator
from typing import Any, Self

import jax

from kilter.core import keys, paths
from kilter.core.errors import InputError, join, within
from kilter.core.specs import part
from kilter.nn.activations import Activation
from kilter.nn.layer import Layer, Params, Shape, State, Visit, output_shape


class Chain(Layer):
    """Layers one after the other.

    Parameters and state are tuples with one entry a layer. Each layer draws from a key named after its kind, its sizes and
    the shape that reaches it, so that putting a layer in or taking one out changes no other layer's weights or dropout.

    What the user left open of a layer is settled by what stands behind it: its initializer is matched to the activation
    that follows, and its bias is left out where a batch norm follows at once, which would take it off again.

    >>> from kilter import nn
    >>> nn.Chain(nn.Dense(64), nn.ReLU(), nn.Dense(10))
    nn.Chain(nn.Dense(64), nn.ReLU(), nn.Dense(10))
    """

    paddable = True
    formula = "layers[-1](... layers[0](x))"
    source = "composition"
    choose = "For every network: it passes the signal on and matches weights to the activations behind them."

    layers: tuple[Layer, ...] = part(kinds=Layer, many=True)

    def __init__(self, *layers: Layer) -> None:
        self._fill({"layers": layers})

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        params, state = [], []
        names = Names()
        for index, (given, layer) in enumerate(zip(self.layers, self.followed_by(None).layers, strict=True)):
            with within(f"layers[{index}]", {repr(layer): repr(given)}):
                p, s = layer.init(keys.named(key, names(given, shape)), shape)
                shape = output_shape(layer, p, s, shape)
            params.append(p)
            state.append(s)
        return tuple(params), tuple(state)

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        _, state, x = self.visit(run, params, state, x, key=key)
        return x, state

    def visit(
        self, do: Visit, params: Params, state: State, x: Any, *, key: jax.Array | None = None, place: str = ""
    ) -> tuple[Params, State, Any]:
        after = []
        names = Names()
        for index, (layer, p, s) in enumerate(zip(self.layers, params, state, strict=True)):
            own = None if key is None else keys.named(key, names(layer, x.shape[1:]))
            p, s, x = layer.visit(do, p, s, x, key=own, place=join(place, f"layers[{index}]"))
            after.append((p, s))
        return tuple(p for p, _ in after), tuple(s for _, s in after), x

    def followed_by(self, activation: Layer | None) -> Self:
        """Every layer matched to the first activation behind it, the last ones to what follows the chain.

        A bias that was left open is left out where the next layer centers its inputs.
        """
        matched: list[Layer] = []
        behind = None
        for layer in reversed(self.layers):
            needed = layer.without_bias() if behind is not None and behind.centers else layer
            matched.append(needed.followed_by(activation))
            activation, behind = _seen_through(layer, activation), layer
        return type(self)(*reversed(matched))


class Residual(Layer):
    """y = shortcut(x) + body(x). He et al. 2016.

    Args:
        body: what is added to the input; its output must have the shape of the shortcut's.
        shortcut: layer on the shortcut where shapes differ, such as a ``Conv`` with window 1; left open, the identity.
    """

    paddable = True
    formula = "shortcut(x) + body(x)"
    source = "He, Zhang, Ren and Sun 2016, Deep Residual Learning, equation 1"
    choose = "Networks of more than about five layers with weights: gradients go by the shortcut."

    body: Layer = part(kinds=Layer)
    shortcut: Layer | None = part(default=None, kinds=Layer, optional=True)

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        own = self.followed_by(None)
        drawn = {name: self._init_part(name, layer, key, shape) for name, layer in own.parts()}
        reached = {name: outcome[2] for name, outcome in drawn.items()}
        direct = reached.get("shortcut", shape)
        if reached["body"] != direct:
            raise InputError(
                f"Residual: the body maps {shape} to {reached['body']}, but the shortcut gives {direct}; "
                "they must be equal, so change the body or give a shortcut"
            )
        return {name: o[0] for name, o in drawn.items()}, {name: o[1] for name, o in drawn.items()}

    def _init_part(self, name: str, layer: Layer, key: jax.Array, shape: Shape) -> tuple[Params, State, Shape]:
        with within(name):
            params, state = layer.init(keys.named(key, name), shape)
            return params, state, output_shape(layer, params, state, shape)

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        _, state, y = self.visit(run, params, state, x, key=key)
        return y, state

    def visit(
        self, do: Visit, params: Params, state: State, x: Any, *, key: jax.Array | None = None, place: str = ""
    ) -> tuple[Params, State, Any]:
        found = {}
        for name, layer in self.parts():
            own = None if key is None else keys.named(key, name)
            found[name] = layer.visit(do, params[name], state[name], x, key=own, place=join(place, name))
        direct = found["shortcut"][2] if "shortcut" in found else x
        after = ({name: part[index] for name, part in found.items()} for index in range(2))
        return next(after), next(after), direct + found["body"][2]

    def parts(self) -> Iterator[tuple[str, Layer]]:
        """The body and, where there is one, the shortcut, by name."""
        yield "body", self.body
        if self.shortcut is not None:
            yield "shortcut", self.shortcut

    def followed_by(self, activation: Layer | None) -> Self:
        return self.replace(**{name: layer.followed_by(activation) for name, layer in self.parts()})


class Names:
    """Names the layers of a chain as they are met: kind, sizes, shape that reaches it, and a count where these recur."""

    def __init__(self) -> None:
        self._met: dict[str, int] = {}

    def __call__(self, layer: Layer, shape: Shape) -> str:
        sizes = {name: getattr(layer, name) for name in layer._static}
        name = f"{type(layer).__name__} {sizes} {tuple(shape)}"
        self._met[name] = self._met.get(name, -1) + 1
        return f"{name} {self._met[name]}"


def _seen_through(layer: Layer, activation: Any) -> Any:
    """What a layer in front of ``layer`` is followed by."""
    if isinstance(layer, Activation):
        return layer if layer.elementwise else None
    if isinstance(layer, Chain):
        for inner in reversed(layer.layers):
            activation = _seen_through(inner, activation)
        return activation
    return activation if layer.transparent else None


def run(
    layer: Layer, params: Params, state: State, x: Any, key: jax.Array | None, place: str
) -> tuple[Params, State, Any]:
    """What `Layer.visit` does to run a network as it is."""
    y, state = layer.apply(params, state, x, key=key)
    return params, state, y


def unneeded_biases(net: Layer, place: str = "") -> list[str]:
    """Places of the layers whose bias was left open and is left out, as the norm behind would take it off again."""
    return [
        f"{path}.layers[{index}]".lstrip(".")
        for path, chain in paths.walk(net, place)
        if isinstance(chain, Chain)
        for index, (layer, behind) in enumerate(zip(chain.layers, chain.layers[1:], strict=False))
        if behind.centers and layer.without_bias() != layer
    ]


def last_layer(layer: Layer) -> Layer:
    """The layer whose output is the network's: the last of the last chain."""
    while isinstance(layer, Chain) and layer.layers:
        layer = layer.layers[-1]
    return layer
