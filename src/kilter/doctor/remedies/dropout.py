"""Dropout taken out, halved, put in, or moved behind the norm."""

from collections.abc import Iterator
from typing import Any

from kilter.core.paths import rewrite
from kilter.data.dataset import Dataset
from kilter.doctor.remedies.line import Line, Parts, Place, apart, blocks, spliced
from kilter.doctor.remedy import Remedy
from kilter.nn.activations import SELU
from kilter.nn.attention import MultiHeadAttention
from kilter.nn.conv import Conv
from kilter.nn.dropout import AlphaDropout, DropConnect, Dropout, SpatialDropout
from kilter.nn.dropouts import ALL as DROPOUTS
from kilter.nn.layer import Layer
from kilter.nn.recurrent import Recurrent
from kilter.nn.transformer import TransformerBlock
from kilter.train.recipe import Recipe

_RATE, _ALPHA_RATE = 0.2, 0.1
# Fields that hold a rate of dropout inside layers of other kinds.
_INSIDE: dict[type, tuple[str, ...]] = {
    Recurrent: ("dropout", "recurrent_dropout", "weight_dropout"),
    TransformerBlock: ("rate",),
    MultiHeadAttention: ("rate",),
}


def dropout(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """All changes of dropout."""
    if kept_whole(recipe) != recipe:
        yield Remedy(
            "dropout:none",
            "Take dropout out: a net that does not learn its training rows has nothing to be held back from "
            "(Goodfellow et al. 2016, section 11.2).",
            "no nn.Dropout()",
            kept_whole,
        )
        yield Remedy(
            "dropout:half",
            "Halve the rates of dropout: what is dropped is noise in every gradient (Srivastava et al. 2014, section 7.3).",
            "nn.Dropout(p / 2)",
            _halved,
        )
    if _dropping(recipe) != recipe:
        yield Remedy(
            "dropout:0.2",
            f"Drop {_RATE:.0%} of the hidden signals while training, so that units cannot rely on each other's mistakes "
            "(Srivastava et al. 2014).",
            f"nn.Dropout({_RATE:g}) behind hidden activations",
            _dropping,
        )
    if _reordered(recipe) != recipe:
        yield Remedy(
            "dropout:after_norm",
            "Move dropout behind the norm and the activation: in front of a norm it gives signals another variance "
            "while training than at inference (Li et al. 2019).",
            "nn.BatchNorm1d(), nn.ReLU(), nn.Dropout(p) in this order",
            _reordered,
        )


def kept_whole(recipe: Recipe) -> Recipe:
    """The recipe without dropout anywhere."""
    parts = apart(recipe.net)
    drops = [place for place in _all(parts) if place.dropout and not isinstance(place.layer, DropConnect)]
    net = spliced(recipe.net, {place.path: () for place in drops})
    return recipe.replace(net=rewrite(net, _undropped))


def _all(parts: Parts) -> Line:
    return [*parts.hidden, *parts.tail]


def _undropped(layer: Any) -> Any:
    if isinstance(layer, DropConnect):
        return layer.layer
    rates = _rates(layer)
    return layer.replace(**dict.fromkeys(rates)) if rates else layer


def _rates(layer: Any) -> dict[str, float]:
    """Rates of dropout that a layer of another kind applies inside."""
    fields = next((names for kind, names in _INSIDE.items() if isinstance(layer, kind)), ())
    return {name: getattr(layer, name) for name in fields if getattr(layer, name) is not None}


def _halved(recipe: Recipe) -> Recipe:
    return recipe.replace(net=capped_dropout(recipe.net, factor=0.5))


def capped_dropout(net: Layer, *, factor: float = 1.0, most: float = 1.0) -> Layer:
    """The network with all rates of dropout times a factor, and none above the most."""

    def smaller(layer: Any) -> Any:
        rates = {"rate": layer.rate} if isinstance(layer, DROPOUTS) else _rates(layer)
        return layer.replace(**{name: min(factor * rate, most) for name, rate in rates.items()}) if rates else layer

    return rewrite(net, smaller)


def _dropping(recipe: Recipe) -> Recipe:
    """The recipe with dropout behind hidden activations that have none; a search along the loss wants no noise in it."""
    if recipe.optimizer.needs == "objective":
        return recipe
    parts = apart(recipe.net)
    cut = [block for own in (parts.main, *parts.branches) for block in blocks(own) if block[0].mixing]
    edits: dict[str, tuple[Layer, ...]] = {}
    for block in cut:
        last = next((place for place in reversed(block) if place.bends), None)
        if last is not None and not any(place.dropout for place in block):
            edits[last.path] = (last.layer, _drop(block[0], last))
    return recipe.replace(net=spliced(recipe.net, edits))


def _drop(front: Place, bent: Place) -> Layer:
    if isinstance(bent.layer, SELU):
        return AlphaDropout(_ALPHA_RATE)
    return SpatialDropout(_RATE) if isinstance(front.weighted, Conv) else Dropout(_RATE)


def _reordered(recipe: Recipe) -> Recipe:
    """The recipe with dropout that stands in front of a norm, no kernel between them, moved behind what follows."""
    edits: dict[str, tuple[Layer, ...]] = {}
    parts = apart(recipe.net)
    for own in (parts.main, *parts.branches):
        for block in blocks(own):
            edits |= _last(block)
    return recipe.replace(net=spliced(recipe.net, edits))


def _last(block: Line) -> dict[str, tuple[Layer, ...]]:
    norms = [index for index, place in enumerate(block) if place.norm]
    early = [place for index, place in enumerate(block) if place.dropout and norms and index < norms[-1]]
    if not early:
        return {}
    behind = next((place for place in reversed(block) if place.bends or place.norm), block[-1])
    moved = tuple(place.layer for place in early)
    return {place.path: () for place in early} | {behind.path: (behind.layer, *moved)}
