"""Where the signals of a network are tapped: behind every layer that holds no other."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from kilter.core.errors import join
from kilter.core.remembered import remembered
from kilter.nn.activations import Activation
from kilter.nn.layer import Layer, Params, Shape, State, shapes


class Places(NamedTuple):
    """What the entries of `Vitals` belong to; paths within the network.

    Attributes:
        signals: paths of the tapped layers, in the order of the forward pass: ``"layers[3]"``. A network that is a single
            layer has the path ``""``.
        kinds: these layers.
        weights: paths of the parameter arrays: ``"layers[0].kernel"``.
    """

    signals: tuple[str, ...]
    kinds: tuple[Layer, ...]
    weights: tuple[str, ...]


class Site(NamedTuple):
    """One tap: the layer, its path, and shape and type of what it gives."""

    place: str
    layer: Layer
    output: jax.ShapeDtypeStruct

    @property
    def real(self) -> bool:
        """Whether gradients go through it: outputs are not whole numbers."""
        return jnp.issubdtype(self.output.dtype, jnp.floating)

    @property
    def judged(self) -> bool:
        """Whether its inputs are needed, to say where it saturates."""
        return isinstance(self.layer, Activation) and self.layer.elementwise


def places(net: Layer, params: Params, state: State, shape: Shape) -> Places:
    """Where a network is tapped, and what its parameters are called; nothing is run.

    Args:
        net: any; a layer that runs others by itself (`nn.TransformerBlock`) is one tap.
        params: as its ``init`` makes them, arrays or their shapes.
        state: likewise.
        shape: of one example.

    >>> from kilter import nn
    >>> net = nn.Chain(nn.Dense(4), nn.ReLU(), nn.Residual(nn.Dense(4)))
    >>> params, state, _ = nn.layer.shapes(net, (3,))
    >>> found = places(net, params, state, (3,))
    >>> found.signals
    ('layers[0]', 'layers[1]', 'layers[2].body')
    >>> found.weights
    ('layers[0].bias', 'layers[0].kernel', 'layers[2].body.bias', 'layers[2].body.kernel')
    """
    found = sites(net, params, state, jax.ShapeDtypeStruct((2, *shape), np.float32))
    signals, kinds = tuple(site.place for site in found), tuple(site.layer for site in found)
    return Places(signals, kinds, names(net, params, state, shape))


@remembered(numbers=True)
def places_of(net: Layer, shape: Shape) -> Places:
    """Where a network is tapped that is to be drawn for examples of a shape."""
    params, state, _ = shapes(net, shape)
    return places(net, params, state, shape)


def sites(net: Layer, params: Params, state: State, x: Any) -> list[Site]:
    """The taps that rows ``x`` pass, in order; nothing is run."""
    found: list[Site] = []

    def seen(layer: Layer, params: Params, state: State, x: Any, key: Any, place: str) -> Any:
        y, state = layer.apply(params, state, x)
        found.append(Site(place, layer, jax.ShapeDtypeStruct(y.shape, y.dtype)))
        return params, state, y

    jax.eval_shape(lambda *given: net.visit(seen, *given)[2], params, state, x)
    return found


def names(net: Layer, params: Params, state: State, shape: Shape) -> tuple[str, ...]:
    """Paths of the parameter arrays, in the order of ``jax.tree.leaves(params)``."""
    tree: Any = None

    def named(layer: Layer, params: Params, state: State, x: Any, key: Any, place: str) -> Any:
        y, state = layer.apply(params, state, x, key=key)
        return jax.tree_util.tree_map_with_path(lambda path, _: _path(place, path), params), state, y

    def visit(params: Params, state: State, x: Any) -> Any:
        nonlocal tree
        tree, _, y = net.visit(named, params, state, x)
        return y

    jax.eval_shape(visit, params, state, jax.ShapeDtypeStruct((2, *shape), np.float32))
    return tuple(jax.tree.leaves(tree))


def _path(place: str, steps: tuple[Any, ...]) -> str:
    for step in steps:
        place = join(place, f"[{step.idx}]" if hasattr(step, "idx") else str(step.key))
    return place


def blank(found: list[Site]) -> list[jax.Array | None]:
    """Zeros to be added behind the layers, whose gradients are those of the layers' outputs."""
    return [jnp.zeros(site.output.shape, site.output.dtype) if site.real else None for site in found]


def tapped(
    net: Layer,
    params: Params,
    state: State,
    x: Any,
    key: jax.Array | None,
    draws: bool,
    found: list[Site],
    added: list[Any],
) -> tuple[Any, list[tuple[Any, Any]]]:
    """Run a network with something added behind its layers.

    Args:
        net: the network.
        params: its parameters.
        state: its state.
        x: rows.
        key: as for `Layer.apply`.
        draws: as for `through`.
        found: its taps.
        added: what is added behind them; as of `blank`.

    Returns:
        Outputs, and of each tap the layer's inputs (None where they are not needed) and outputs.
    """
    held: list[tuple[Any, Any]] = []

    def tap(layer: Layer, params: Params, state: State, x: Any, key: Any, place: str) -> Any:
        y, state = layer.apply(params, state, x, key=_given(layer, key, draws))
        index = len(held)
        if added[index] is not None:
            y = y + added[index]
        held.append((x if found[index].judged else None, y))
        return params, state, y

    return net.visit(tap, params, state, x, key=key)[2], held


def through(
    net: Layer, params: Params, state: State, x: Any, key: jax.Array | None, draws: bool = True
) -> tuple[Any, State]:
    """Outputs and new state of a network; without ``draws`` a key makes layers follow the batch, but none draw."""

    def apply(layer: Layer, params: Params, state: State, x: Any, key: Any, place: str) -> Any:
        y, state = layer.apply(params, state, x, key=_given(layer, key, draws))
        return params, state, y

    _, state, y = net.visit(apply, params, state, x, key=key)
    return y, state


def _given(layer: Layer, key: jax.Array | None, draws: bool) -> jax.Array | None:
    return key if draws or (layer.adapts and not layer.draws) else None
