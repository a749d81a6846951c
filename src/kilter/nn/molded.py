"""A chain in a mold: nets of other widths, depths and activations in arrays of one shape, so that they share a program."""

from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp

from kilter.core.specs import number, option, part
from kilter.nn.dense import Dense
from kilter.nn.layer import Layer, Params, Shape, State, output_shape


class OneOf(Layer):
    """One of several layers without parameters, told by a number.

    Args:
        options: the layers.
        choice: place of the one that is run.
    """

    options: tuple[Layer, ...] = part(kinds=Layer, many=True)
    choice: float = number(default=0.0)

    def __init__(self, *options: Layer, choice: float = 0.0) -> None:
        self._fill({"options": options, "choice": choice})

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        choice = jnp.asarray(self.choice, jnp.int32)
        # The others get 1, where all are finite: 0 times the infinite slope of one that is not run would be NaN.
        given = [jnp.where(choice == place, x, 1.0) for place in range(len(self.options))]
        found = [option.apply((), (), own, key=key)[0] for option, own in zip(self.options, given, strict=True)]
        return jax.lax.select_n(choice, *found), state


class Fit(NamedTuple):
    """What tells a net from the mold that it is in; an entry a layer.

    Attributes:
        names: numbers of the names that layers draw by, uint32.
        units: features behind the layer that are the net's own, int32; those that follow are padding.
        present: whether the net has the layer.
        scales: by which the mold's kernels are multiplied to have the net's own standard deviations, float32.
    """

    names: Any
    units: Any
    present: Any
    scales: Any


class Molded(Layer):
    """Layers as wide and as many as the mold's, of which a net uses its own; it computes what it would compute alone.

    Kernels, biases and scales of padding are zero. What padding signals is cut off in front of every `Dense`, so that its
    gradients are zero, too, and it stays what it is. What layers that the net lacks signal is left out.

    Args:
        layers: of the mold, settled by what follows them.
        fit: of the net.
        spare: places of the layers that a net may lack.
    """

    layers: tuple[Layer, ...] = part(kinds=Layer, many=True)
    fit: Any = number()
    spare: tuple[int, ...] = option(default=())

    def __init__(self, *layers: Layer, fit: Fit, spare: tuple[int, ...] = ()) -> None:
        self.__dict__.update(layers=layers, fit=fit, spare=spare)

    def init(self, key: jax.Array, shape: Shape) -> tuple[Params, State]:
        drawn = []
        before: Any = shape[-1]
        for index, layer in enumerate(self.layers):
            params, state = layer.init(jax.random.fold_in(key, self.fit.names[index]), shape)
            shape, after = output_shape(layer, params, state, shape), self.fit.units[index]
            own = jnp.where(self.fit.present[index], after, 0) if index in self.spare else after
            drawn.append((self._own(index, params, before, own), state))
            before = after
        return tuple(params for params, _ in drawn), tuple(state for _, state in drawn)

    def _own(self, index: int, params: Params, before: Any, after: Any) -> Params:
        """Parameters scaled as the net's own, zero where they are padding."""

        def cut(leaf: jax.Array, ends: tuple[Any, ...]) -> jax.Array:
            for axis, end in enumerate(reversed(ends), start=1):
                within = jnp.arange(leaf.shape[-axis]) < end
                leaf = jnp.where(jnp.expand_dims(within, tuple(range(1, axis))), leaf, 0.0)
            return leaf

        if isinstance(self.layers[index], Dense):
            kernel = cut(params["kernel"], (before, after)) * self.fit.scales[index]
            return {name: kernel if name == "kernel" else cut(leaf, (after,)) for name, leaf in params.items()}
        return jax.tree.map(lambda leaf: cut(leaf, (after,)), params)

    def apply(
        self, params: Params, state: State, x: jax.Array, *, key: jax.Array | None = None
    ) -> tuple[jax.Array, State]:
        states = []
        for index, (layer, p, s) in enumerate(zip(self.layers, params, state, strict=True)):
            if index and isinstance(layer, Dense):
                x = jnp.where(jnp.arange(x.shape[-1]) < self.fit.units[index - 1], x, 0.0)
            own = None if key is None else jax.random.fold_in(key, self.fit.names[index])
            if index in self.spare:
                present = self.fit.present[index]
                # The others get 1, as in `OneOf`.
                y, s = layer.apply(p, s, jnp.where(present, x, 1.0), key=own)
                x = jnp.where(present, y, x)
            else:
                x, s = layer.apply(p, s, x, key=own)
            states.append(s)
        return x, tuple(states)

    def followed_by(self, activation: Layer | None) -> Self:
        return self
