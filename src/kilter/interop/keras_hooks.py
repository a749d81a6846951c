"""What goes on inside a Keras model, with any backend: layers are wrapped for two passes, then as before."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from kilter.interop import keras_layers
from kilter.interop.node import LAYER, SUM, UNKNOWN, Array, Node
from kilter.interop.opaque import Opaque
from kilter.interop.record import Weight, named
from kilter.nn.layer import Layer
from kilter.vitals import summary

# Far above all weights, so that no digit of a small gradient gets lost in them; a power of two, so that none changes.
_RATE = 2.0**30


class Wrapped:
    """Layers of a model that tell what they get and give.

    Attributes:
        nodes: as they were met in an eager pass.
        first: number of the signal that went in.
        taps: variables that are added to what layers give, in the order of the pass; None while looking.
    """

    def __init__(self, model: Any) -> None:
        self.nodes: list[Node] = []
        self.taps: list[Any] | None = None
        self._model = model
        self._numbers: dict[int, int] = {}
        self._held: list[Any] = []
        self._met: Counter[str] = Counter()
        self._place = 0
        self._order: list[int | None] = []  # for every layer that a signal passes, its node
        self._inner: list[tuple[Any, Any]] = []
        self._parts: dict[Any, Layer | None] = {}

    @contextmanager
    def on(self) -> Iterator["Wrapped"]:
        """With the layers wrapped."""
        wrapped = list(dict.fromkeys(leaves(self._model)))
        self._parts = {
            layer: keras_layers.layer(layer) for layer in wrapped
        }  # now, as weights have no values inside programs
        kept = {layer: (layer.call, getattr(layer, "activation", None)) for layer in wrapped}
        try:
            for layer, (call, function) in kept.items():
                vars(layer)["call"] = self._calling(layer, call)
                if splits(layer):
                    vars(layer)["activation"] = self._activating(layer, function)
            yield self
        finally:
            for layer, (_, function) in kept.items():
                vars(layer).pop("call", None)
                if splits(layer):
                    vars(layer)["activation"] = function

    def look(self, x: Any) -> int:
        """An eager pass in training mode; number of the signal that comes out, -1 where that is not known."""
        x = keras.ops.convert_to_tensor(x)
        self._number(x)
        outputs = self._model(x, training=True)
        return self._numbers.get(id(outputs), -1)

    def restart(self) -> None:
        """Begin another pass."""
        self._place = 0

    def _calling(self, layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **named_args: Any) -> Any:
            given = args[0] if args else None
            self._inner.append((layer, given))
            try:
                y = call(*args, **named_args)
            finally:
                own, _ = self._inner.pop()
            if splits(own) or isinstance(y, tuple | list | dict) or given is None:
                return y
            return self._passed(layer.name, type(layer).__name__, self._parts[layer], given, y, layer)

        return run

    def _activating(self, layer: Any, function: Any) -> Callable[..., Any]:
        def run(x: Any) -> Any:
            _, given = self._inner[-1]
            x = self._passed(layer.name, type(layer).__name__, self._parts[layer], given, x, layer)
            y = function(x)
            name = getattr(function, "__name__", type(function).__name__)
            return self._passed(f"{layer.name}.{name}", "", keras_layers.activation(function), x, y, None)

        return run

    def _passed(self, place: str, kind: str, known: Layer | None, x: Any, y: Any, layer: Any) -> Any:
        """A signal went through a layer: note it, or add a tap to it."""
        if self.taps is not None:
            self._place += 1
            own = self._order[self._place - 1]
            return y if own is None else y + keras.ops.cast(self.taps[own], y.dtype)
        several = isinstance(x, tuple | list)
        inputs = tuple(self._known(each) for each in (x if several else [x]))
        added = several and len(inputs) == 2 and type(layer) is keras.layers.Add
        role = SUM if added else LAYER if known is not None and not several else UNKNOWN
        first = x[0] if several else x
        node = self._node(place, kind, known or Opaque(kind or place), role, first, y, inputs)
        node.kernel = None if layer is None else keras_layers.kernel(layer)
        self._order.append(len(self.nodes) - 1 if self.nodes and self.nodes[-1] is node else None)
        return y

    def _known(self, x: Any) -> int:
        """Number of a signal; one that no layer gave comes from an operation that is not known."""
        if id(x) not in self._numbers:
            self._node("operation", "", Opaque("operation"), UNKNOWN, x, x, (-1,))
        return self._numbers[id(x)]

    def _number(self, x: Any) -> int:
        self._held.append(x)
        self._numbers[id(x)] = len(self._held) - 1
        return len(self._held) - 1

    def _node(self, place: str, kind: str, layer: Layer, role: str, x: Any, y: Any, inputs: tuple[int, ...]) -> Node:
        self._met[place] += 1
        place = place if self._met[place] == 1 else f"{place} ({self._met[place]})"
        before, after = (keras_layers.array(each) for each in (x, y))
        same = y is x and role == LAYER  # a layer that did nothing
        output = inputs[0] if same else self._number(y)
        node = Node(place, kind, layer, role, before.shape[1:], after.shape[1:], inputs, output)
        with np.errstate(all="ignore"):
            node.signal = summary(after, layer=layer, x=before)
        if not same:
            self.nodes.append(node)
        return node


def leaves(model: Any) -> Iterator[Any]:
    """Layers that are looked at as a whole: those of Kilter's kinds, and those that hold no other."""
    for layer in model._flatten_layers(include_self=False, recursive=False):
        inner = list(layer._flatten_layers(include_self=False, recursive=False))
        if not inner or isinstance(layer, keras.layers.RNN | keras.layers.Wrapper):
            if not isinstance(layer, keras.layers.InputLayer):
                yield layer
        else:
            yield from leaves(layer)


def splits(layer: Any) -> bool:
    """Whether a layer of weights holds an activation that is looked at by itself."""
    own = isinstance(layer, keras.layers.Dense | keras.layers.EinsumDense) or hasattr(layer, "kernel_size")
    return own and not keras_layers.is_linear(getattr(layer, "activation", None))


class _Tapped(keras.Model):
    """A model with something added behind its layers, that gradient descent then changes by their gradients."""

    def __init__(self, wrapped: Wrapped, model: Any, shapes: list[tuple[int, ...]]) -> None:
        super().__init__()
        self.inner = model
        self._wrapped = wrapped
        self.taps = [
            self.add_weight(shape=shape, initializer="zeros", name=f"tap{i}") for i, shape in enumerate(shapes)
        ]

    def call(self, x: Any, training: Any = None) -> Any:
        self._wrapped.taps = self.taps
        self._wrapped.restart()
        return self.inner(x, training=training)


def backward(wrapped: Wrapped, model: Any, loss: Any, x: Array, y: Array) -> tuple[float, dict[str, Weight]]:
    """Fill in the signals that are propagated back; loss of the rows, and the weights with their gradients.

    One step of gradient descent on the model with variables of zero added behind its layers: each variable and weight then
    has moved by its gradient. Weights are not put back here.
    """
    shapes = [(len(x), *node.after) for node in wrapped.nodes]
    before = {variable.path: keras_layers.array(variable) for variable in model.trainable_variables}
    tapped = _Tapped(wrapped, model, shapes)
    tapped.compile(optimizer=keras.optimizers.SGD(_RATE), loss=loss)
    value = float(np.ravel(tapped.train_on_batch(x, y))[0])
    wrapped.taps = None
    for node, tap in zip(wrapped.nodes, tapped.taps, strict=True):
        gradient = keras_layers.array(tap).astype(np.float64) / _RATE
        if node.signal is not None:
            node.signal = node.signal._replace(backward=len(x) * float(np.sqrt(np.square(gradient).mean())))
    return value, _weights(wrapped, model, before)


def _weights(wrapped: Wrapped, model: Any, before: dict[str, Array]) -> dict[str, Weight]:
    kernels = {layer.kernel.path: layer.name for layer in leaves(model) if keras_layers.kernel(layer) is not None}
    found = {}
    for variable in model.trainable_variables:
        own, after = before[variable.path], keras_layers.array(variable)
        name = named(kernels[variable.path]) if variable.path in kernels else variable.path
        found[name] = Weight(own, (own.astype(np.float64) - after) / _RATE)
    return found
