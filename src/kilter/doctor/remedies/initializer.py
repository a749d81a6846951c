"""Weights drawn so that the signal keeps its size: matched to what follows, or scaled on the data."""

from collections.abc import Callable, Iterator
from typing import Any

from kilter.core.paths import put, walk
from kilter.data.dataset import Dataset
from kilter.doctor.remedies.line import apart, line
from kilter.doctor.remedy import Remedy
from kilter.nn.compose import Residual
from kilter.nn.initializers import LSUV, DeltaOrthogonal, Matched, Orthogonal, Zeros
from kilter.nn.layer import Layer, Weighted
from kilter.nn.scaled import Scaled
from kilter.train.recipe import Recipe

# A kernel on which spreads are compared, and the factor up to which they count as equal.
_KERNEL, _NEAR = (64, 64), 1.1


def initializer(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """Matched weights and LSUV."""
    count = len(_unmatched(recipe.net))
    if count:
        yield Remedy(
            "initializer:matched",
            f"Draw the weights of {_layers(count)} with the spread that keeps the signal through the activation behind, "
            "and begin with biases of zero, so that units differ and signals neither fade nor grow (He et al. 2015).",
            "nn.init.kaiming_normal_(layer.weight); nn.init.zeros_(layer.bias)",
            matched,
        )
    count = len(_kernels(recipe.net))
    if count:
        yield Remedy(
            "initializer:lsuv",
            f"Begin {_layers(count)} with orthogonal weights, scaled on a batch of the data until each layer gives unit "
            "variance (Mishkin and Matas 2016).",
            "nn.init.orthogonal_(layer.weight), then divide it by the standard deviation of the layer's outputs",
            _scaled_on_data,
        )


def matched(recipe: Recipe) -> Recipe:
    """The recipe with all that is unmatched left open, and biases that begin at zero."""
    return _redrawn(recipe, _unmatched(recipe.net), lambda layer: layer.replace(**_OPEN))


_OPEN: dict[str, Any] = {"initializer": None, "bias_initializer": Zeros()}


def _scaled_on_data(recipe: Recipe) -> Recipe:
    return _redrawn(recipe, _kernels(recipe.net), lambda layer: layer.replace(**_OPEN | {"initializer": LSUV()}))


def _redrawn(recipe: Recipe, paths: list[str], change: Callable[[Weighted], Weighted]) -> Recipe:
    net: Any = recipe.net
    for path in paths:
        net = put(net, path, change(net.at(path))) if path else change(net)
    return recipe.replace(net=net)


def _kernels(net: Layer) -> list[str]:
    """Paths of the layers with kernels, but for those that rightly begin at zero."""
    zero = _rightly_zero(net)
    return [path for path, layer in walk(net) if isinstance(layer, Weighted) and path not in zero]


def _unmatched(net: Layer) -> list[str]:
    """Paths of the layers whose weights do not have the spread that keeps the signal, or whose biases are not zero."""
    bare: Any = net
    for path in _kernels(net):
        own = bare.at(path).replace(initializer=None) if path else bare.replace(initializer=None)
        bare = put(bare, path, own) if path else own
    fitted = bare.followed_by(None)
    found = []
    for path in _kernels(net):
        layer, ideal = (each.at(path) if path else each for each in (net, fitted))
        if layer.bias_initializer != Zeros() or not _keeps(layer.initializer, ideal.initializer):
            found.append(path)
    return found


def _keeps(given: Any, ideal: Any) -> bool:
    if given is None or isinstance(given, Matched | Orthogonal | DeltaOrthogonal | LSUV):
        return True
    if not isinstance(given, Scaled):
        return False
    ratio = float(given.std(_KERNEL)) / float(ideal.std(_KERNEL))
    return 1 / _NEAR < ratio < _NEAR


def _rightly_zero(net: Layer) -> set[str]:
    """Heads and ends of residual bodies that begin with weights of zero, which is a sound start for these."""
    parts = apart(net)
    ends = [parts.head] if parts.head is not None else []
    for path, layer in walk(net):
        if isinstance(layer, Residual):
            ends += line(layer.body, f"{path}.body".lstrip("."))[-1:]
    return {place.path for place in ends if place.weighted is not None and place.weighted.initializer == Zeros()}


def _layers(count: int) -> str:
    return "one layer" if count == 1 else f"{count} layers"
