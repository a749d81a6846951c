"""An activation behind hidden layers that have none: without it two layers are no more than one."""

from collections.abc import Iterator

from kilter.data.dataset import Dataset
from kilter.doctor.remedies.line import Line, apart, blocks, spliced
from kilter.doctor.remedy import Remedy
from kilter.nn.activations import Identity, ReLU
from kilter.nn.layer import Layer
from kilter.train.recipe import Recipe


def missing_activation(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """ReLU where two layers with kernels follow each other with nothing non-linear between them."""
    count = len(_edits(recipe.net))
    if count:
        places = "one hidden layer" if count == 1 else f"{count} hidden layers"
        yield Remedy(
            "missing_activation",
            f"Put ReLU behind {places}: without anything non-linear between them, layers with weights are together no more "
            "than one (Minsky and Papert 1969).",
            "nn.ReLU() between two nn.Linear() that follow each other",
            bent,
        )


def bent(recipe: Recipe) -> Recipe:
    """The recipe with ReLU where an activation is missing."""
    return recipe.replace(net=spliced(recipe.net, _edits(recipe.net)))


def _edits(net: Layer) -> dict[str, tuple[Layer, ...]]:
    """What to put in, by path. What ends a branch is left linear, as in residual blocks."""
    parts = apart(net)
    found: dict[str, tuple[Layer, ...]] = {}
    for own in (parts.main, *parts.branches):
        cut = blocks(own)
        # A layer in front of something else with weights (attention, recurrence, a residual) is a projection into it.
        followed = [*(after[0].mixing for after in cut[1:]), own is parts.main and parts.head is not None]
        for block, linear in zip(cut, followed, strict=False):
            if linear and block[0].mixing and not any(place.bends for place in block):
                found |= _bent(block)
    return found


def _bent(block: Line) -> dict[str, tuple[Layer, ...]]:
    """In place of an identity, else behind the layer and the norms that follow it at once."""
    for place in block[1:]:
        if isinstance(place.layer, Identity):
            return {place.path: (ReLU(),)}
    last = block[0]
    for place in block[1:]:
        if not place.norm:
            break
        last = place
    return {last.path: (last.layer, ReLU())}
