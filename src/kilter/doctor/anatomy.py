"""What a network is made of, in the order of its forward pass: leaf layers, their roles and neighbors."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import jax
import numpy as np

from kilter.core.errors import join
from kilter.core.remembered import remembered
from kilter.nn.activations import Activation, Identity
from kilter.nn.dropouts import ALL as DROPOUTS
from kilter.nn.initializer import fans
from kilter.nn.layer import Layer, Shape, Weighted
from kilter.nn.matched import Matched
from kilter.nn.norms import ALL as NORMS
from kilter.train.recipe import Recipe

Role = Literal["weighted", "activation", "norm", "dropout", "other"]


@dataclass(frozen=True)
class Organ:
    """A layer that holds no other.

    Attributes:
        index: its place in the forward pass.
        place: its path in the recipe, such as ``net.layers[2]``.
        layer: as a value; for networks of other frameworks the part of Kilter that does the same, or an `Opaque`.
        before: shape of one example in front of it.
        after: the same behind it.
    """

    index: int
    place: str
    layer: Layer
    before: Shape
    after: Shape

    @property
    def role(self) -> Role:
        """What it is for."""
        if isinstance(self.layer, Activation):
            return "activation"
        if isinstance(self.layer, DROPOUTS):
            return "dropout"
        if isinstance(self.layer, NORMS):
            return "norm"
        return "weighted" if isinstance(self.layer, Weighted) else "other"

    @property
    def path(self) -> str:
        """Its path within the network, such as ``layers[2]``."""
        return self.place.removeprefix("net").removeprefix(".")

    @property
    def label(self) -> str:
        """Place and kind as a user reads them: ``net.layers[2] Dense``."""
        return f"{self.place} {type(self.layer).__name__}"


@dataclass(frozen=True)
class Anatomy:
    """Organs of a network, with what stands in front of and behind them."""

    organs: tuple[Organ, ...]

    @classmethod
    def of(cls, recipe: Recipe, shape: Shape) -> "Anatomy":
        """Of a recipe on examples of a shape; nothing is run."""
        return cls(_organs(recipe.net, tuple(shape)))

    def having(self, role: Role) -> tuple[Organ, ...]:
        """Organs of a role."""
        return tuple(organ for organ in self.organs if organ.role == role)

    @property
    def weighted(self) -> tuple[Organ, ...]:
        """Layers with a kernel."""
        return self.having("weighted")

    @property
    def head(self) -> Organ | None:
        """The last layer with a kernel: it gives the outputs."""
        return self.weighted[-1] if self.weighted else None

    @property
    def hidden(self) -> tuple[Organ, ...]:
        """Layers with a kernel in front of the head."""
        return self.weighted[:-1]

    @property
    def closing(self) -> tuple[Organ, ...]:
        """Activations behind the head, in order; the identity is none."""
        last = -1 if self.head is None else self.head.index
        return tuple(
            organ for organ in self.having("activation") if organ.index > last and not is_identity(organ.layer)
        )

    def activation(self, organ: Organ) -> Organ | None:
        """The activation behind a layer and in front of the next one with a kernel."""
        for other in self.organs[organ.index + 1 :]:
            if other.role == "weighted":
                return None
            if other.role == "activation" and not is_identity(other.layer):
                return other
        return None

    @property
    def hidden_activations(self) -> tuple[Organ, ...]:
        """Activations between layers with kernels."""
        return tuple(found for organ in self.hidden if (found := self.activation(organ)) is not None)

    def between(self, first: Organ, second: Organ) -> tuple[Organ, ...]:
        """What stands between two layers."""
        return self.organs[first.index + 1 : second.index]

    def pairs(self) -> Iterator[tuple[Organ, Organ]]:
        """Neighboring layers with kernels."""
        yield from pairwise(self.weighted)


@remembered(numbers=True)
def _organs(net: Layer, shape: Shape) -> tuple[Organ, ...]:
    organs: list[Organ] = []

    def note(layer: Layer, params: Any, state: Any, x: Any, key: Any, place: str) -> Any:
        y, after = layer.apply(params, state, x, key=key)
        organs.append(Organ(len(organs), join("net", place), layer, tuple(x.shape[1:]), tuple(y.shape[1:])))
        return params, after, y

    def run(key: jax.Array, x: jax.Array) -> Any:
        params, state = net.init(key, shape)
        return net.visit(note, params, state, x)[2]

    jax.eval_shape(run, jax.random.key(0), jax.ShapeDtypeStruct((2, *shape), np.float32))
    return tuple(organs)


def is_identity(layer: Layer) -> bool:
    """Whether an activation does nothing."""
    return isinstance(layer, Identity)


def matched_std(anatomy: Anatomy, organ: Organ, kernel: Shape) -> float:
    """Standard deviation of the weights that would keep the signal through the activation behind a layer."""
    behind = anatomy.activation(organ)
    activation = behind.layer if behind is not None and organ is not anatomy.head else None
    if len(kernel) < 2:
        return 1.0 / np.sqrt(fans(kernel)[0])
    return float(Matched(activation).std(kernel))
