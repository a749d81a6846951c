"""Shortcuts around the repeated layers of a deep net."""

from collections.abc import Iterator
from itertools import pairwise

from kilter.data.dataset import Dataset
from kilter.doctor.remedies.line import Line, apart, blocks, spliced, with_weighted
from kilter.doctor.remedy import Remedy
from kilter.nn.compose import Chain, Residual
from kilter.nn.conv import Conv
from kilter.nn.dense import Dense
from kilter.nn.initializers import Zeros
from kilter.nn.layer import Layer, Weighted
from kilter.train.recipe import Recipe

# Hidden layers with kernels from which on a net counts as deep.
_DEEP = 4


def residual(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """A shortcut around every activation and the layer behind it that keeps the width."""
    count = len(_bodies(recipe.net))
    if count:
        yield Remedy(
            "residual",
            f"Put shortcuts around {'one layer' if count == 1 else f'{count} layers'} of equal width, which begin with "
            "weights of zero: gradients go by the shortcuts, and the net begins as a shallow one (He et al. 2016, Identity "
            "Mappings, figure 4e; the zeros: Zhang et al. 2019).",
            "x = x + linear(relu(x)) in place of x = linear(relu(x)), with nn.init.zeros_(linear.weight)",
            shortened,
        )


def shortened(recipe: Recipe) -> Recipe:
    """The recipe with shortcuts."""
    edits: dict[str, tuple[Layer, ...]] = {}
    for body in _bodies(recipe.net):
        edits |= {place.path: () for place in body[:-1]}
        layers = (*(place.layer for place in body[:-1]), with_weighted(body[-1], _from_zero))
        edits[body[-1].path] = (Residual(Chain(*layers)),)
    return recipe.replace(net=spliced(recipe.net, edits))


def _from_zero(layer: Weighted) -> Weighted:
    return layer.replace(initializer=Zeros())


def _bodies(net: Layer) -> list[Line]:
    """Stretches of the main line that can have a shortcut: what follows a layer, up to the next one of the same width."""
    cut = blocks(apart(net).main)
    if sum(block[0].mixing for block in cut) < _DEEP:
        return []
    return [[*front[1:], back[0]] for front, back in pairwise(cut) if _keeps_shape(front, back)]


def _keeps_shape(front: Line, back: Line) -> bool:
    between = front[1:]
    plain = all(place.bends or place.norm or place.dropout for place in between)
    return plain and any(place.bends for place in between) and _alike(front[0].weighted, back[0].weighted)


def _alike(front: Weighted | None, back: Weighted | None) -> bool:
    if isinstance(front, Dense) and isinstance(back, Dense):
        return front.units == back.units
    if isinstance(front, Conv) and isinstance(back, Conv):
        return front.units == back.units and back.stride in (1, (1, 1), (1,)) and back.padding == "same"
    return False
