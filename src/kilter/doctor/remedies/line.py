"""Layers in the order that a signal meets them: what is hidden, the head, and what stands behind it; and edits of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kilter.core.errors import join
from kilter.nn.activations import Activation, Identity, LogSoftmax, Maxout, Softmax
from kilter.nn.columns import Concatenate
from kilter.nn.compose import Chain, Residual
from kilter.nn.conv import Conv
from kilter.nn.conv_transpose import ConvTranspose
from kilter.nn.dense import Dense
from kilter.nn.dropouts import ALL as DROPOUTS
from kilter.nn.global_pool import GlobalAvgPool, GlobalMaxPool
from kilter.nn.layer import Layer, Weighted
from kilter.nn.norms import ALL as NORMS
from kilter.nn.pool import AvgPool, MaxPool
from kilter.nn.reshape import Flatten
from kilter.nn.reweighted import Reweighted
from kilter.nn.scale import Scale

# What changes a signal without weights that mix its features.
_SIMPLE = (Activation, AvgPool, MaxPool, GlobalAvgPool, GlobalMaxPool, Flatten, Scale)


@dataclass(frozen=True)
class Place:
    """A layer and its path in the network."""

    path: str
    layer: Layer

    @property
    def weighted(self) -> Weighted | None:
        """The layer with the kernel: this one, or the one that it holds under a norm of weights."""
        own = self.layer.layer if isinstance(self.layer, Reweighted) else self.layer
        return own if isinstance(own, Weighted) else None

    @property
    def mixing(self) -> bool:
        """Whether it is a dense or convolution layer, bare or with its kernel under a norm."""
        return isinstance(self.weighted, Dense | Conv | ConvTranspose)

    @property
    def norm(self) -> bool:
        """Whether it is a norm of the signal."""
        return isinstance(self.layer, NORMS) and not isinstance(self.layer, Reweighted)

    @property
    def dropout(self) -> bool:
        """Whether it drops parts of the signal."""
        return isinstance(self.layer, DROPOUTS) and not isinstance(self.layer, Reweighted)

    @property
    def simple(self) -> bool:
        """Whether it has no kernel in it: activations, norms, dropout, pooling."""
        return isinstance(self.layer, _SIMPLE) or self.norm or self.dropout

    @property
    def bends(self) -> bool:
        """Whether it is not linear by design."""
        bent = isinstance(self.layer, Activation) and not isinstance(self.layer, Identity)
        return bent or isinstance(self.layer, Maxout)

    @property
    def exchangeable(self) -> bool:
        """Whether another activation can take its place: element-wise ones, and a softmax between hidden layers."""
        one_by_one = isinstance(self.layer, Activation) and self.layer.elementwise
        return self.bends and (one_by_one or isinstance(self.layer, Softmax | LogSoftmax))


Line = list[Place]


@dataclass(frozen=True)
class Parts:
    """A network taken apart.

    Attributes:
        main: layers in front of the head, in order.
        branches: the same inside the bodies of residuals and the branches of concatenations among them.
        head: the last layer with a kernel, which gives the outputs; None where something else does.
        tail: what stands behind the head.
    """

    main: Line
    branches: tuple[Line, ...]
    head: Place | None
    tail: Line

    @property
    def hidden(self) -> Line:
        """All layers in front of the head."""
        return [place for line in (self.main, *self.branches) for place in line]


def apart(net: Layer) -> Parts:
    """Take a network apart."""
    places = line(net)
    last = next((index for index in reversed(range(len(places))) if not places[index].simple), -1)
    if last < 0 or places[last].weighted is None:
        main, head, tail = places[: last + 1], None, places[last + 1 :]
    else:
        main, head, tail = places[:last], places[last], places[last + 1 :]
    return Parts(main, tuple(_branches(main)), head, tail)


def line(layer: Layer, path: str = "") -> Line:
    """The layers that a signal goes through, chains inside chains taken apart."""
    if not isinstance(layer, Chain):
        return [Place(path, layer)]
    return [place for step, each in _inner(layer) for place in line(each, join(path, step))]


def _inner(layer: Layer) -> list[tuple[str, Layer]]:
    """Layers of a chain or concatenation, or the body of a residual, each with its step."""
    if isinstance(layer, Residual):
        return [("body", layer.body)]
    return [(f"layers[{i}]", each) for i, each in enumerate(layer.layers)] if _holds(layer) else []


def _holds(layer: Layer) -> bool:
    return isinstance(layer, Chain | Concatenate | Residual)


def _branches(places: Line) -> list[Line]:
    found: list[Line] = []
    for place in places:
        for step, each in _inner(place.layer):
            own = line(each, join(place.path, step))
            found += [own, *_branches(own)]
    return found


def blocks(places: Line) -> list[Line]:
    """A line cut in front of every layer that has a kernel in it; what stands in front of the first one is left out."""
    found: list[Line] = []
    for place in places:
        if not place.simple:
            found.append([place])
        elif found:
            found[-1].append(place)
    return found


def hidden_blocks(net: Layer) -> list[Line]:
    """Blocks that begin with a dense or convolution layer, on the main line and in branches."""
    parts = apart(net)
    return [block for own in (parts.main, *parts.branches) for block in blocks(own) if block[0].mixing]


Edits = Mapping[str, Sequence[Layer]]


def spliced(net: Layer, edits: Edits) -> Layer:
    """The network with layers replaced, by path, by none, one or several others."""
    if not edits:
        return net
    made = _spliced(net, "", edits)
    return made[0] if len(made) == 1 else Chain(*made)


def _spliced(layer: Layer, path: str, edits: Edits) -> Sequence[Layer]:
    if path in edits:
        return edits[path]
    if not _holds(layer):
        return (layer,)
    made = [_spliced(each, join(path, step), edits) for step, each in _inner(layer)]
    if isinstance(layer, Chain):
        flat = [new for group in made for new in group]
        return (type(layer)(*flat),) if flat or not layer.layers else ()
    single = [group[0] if len(group) == 1 else Chain(*group) for group in made]
    return (layer.replace(body=single[0]) if isinstance(layer, Residual) else type(layer)(*single),)


def with_weighted(place: Place, change: Callable[[Weighted], Weighted]) -> Layer:
    """The layer at a place with its layer that has the kernel changed."""
    if isinstance(place.layer, Reweighted):
        return place.layer.replace(layer=change(place.layer.layer))
    return change(place.layer) if isinstance(place.layer, Weighted) else place.layer


def changed(places: Iterable[Place], change: Callable[[Weighted], Weighted]) -> dict[str, tuple[Layer]]:
    """Edits that change the layers with kernels at places."""
    made = {place.path: with_weighted(place, change) for place in places if place.weighted is not None}
    old = {place.path: place.layer for place in places}
    return {path: (layer,) for path, layer in made.items() if layer != old[path]}
