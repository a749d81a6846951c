"""Another activation between hidden layers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from kilter.data.dataset import Dataset
from kilter.doctor.remedies.line import Place, apart, blocks, changed, spliced
from kilter.doctor.remedy import Remedy
from kilter.nn.activations import ELU, GELU, SELU, Activation, LeakyReLU, ReLU, Tanh
from kilter.nn.initializers import LeCunNormal
from kilter.nn.layer import Layer, Weighted
from kilter.train.recipe import Recipe


@dataclass(frozen=True)
class _Choice:
    """An activation to put in, and why."""

    layer: Activation
    reason: str
    torch: str


_CHOICES = {
    "relu": _Choice(ReLU(), "its slope is 1 where it is active, so gradients do not fade (Glorot et al. 2011)", "ReLU"),
    "leaky_relu": _Choice(
        LeakyReLU(), "it has a slope everywhere, so that no unit can die (Maas et al. 2013)", "LeakyReLU"
    ),
    "elu": _Choice(ELU(), "it has a slope below zero and a mean near zero (Clevert et al. 2016)", "ELU"),
    "selu": _Choice(
        SELU(), "with LeCun's weights it keeps mean 0 and variance 1 through depth (Klambauer et al. 2017)", "SELU"
    ),
    "gelu": _Choice(GELU(), "it is smooth and rarely dies (Hendrycks and Gimpel 2016)", "GELU"),
    "tanh": _Choice(
        Tanh(), "it is bounded, so that signals cannot explode, and centered on zero (LeCun et al. 1998)", "Tanh"
    ),
}


def activation(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """One remedy an activation; the one behind the head stays."""
    for name, choice in _CHOICES.items():
        others = [type(place.layer).__name__ for place in _others(recipe.net, choice.layer)]
        if others:
            old = " and ".join(Counter(others))
            places = "one place" if len(others) == 1 else f"{len(others)} places"
            yield Remedy(
                f"activation:{name}",
                f"Replace {old} by {type(choice.layer).__name__} in {places}: {choice.reason}.",
                f"nn.{choice.torch}() in place of {', '.join(f'nn.{each}()' for each in Counter(others))}",
                partial(activated, activation=choice.layer),
            )


def activated(recipe: Recipe, activation: Activation) -> Recipe:
    """The recipe with another activation between hidden layers; SELU also takes the weights that it was made for."""
    edits: dict[str, tuple[Layer, ...]] = {place.path: (activation,) for place in _others(recipe.net, activation)}
    if isinstance(activation, SELU):
        edits |= changed(_in_front(recipe.net), _lecun)
    return recipe.replace(net=spliced(recipe.net, edits))


def _others(net: Layer, activation: Activation) -> list[Place]:
    """Places of hidden activations of another kind."""
    return [place for place in apart(net).hidden if place.exchangeable and type(place.layer) is not type(activation)]


def _in_front(net: Layer) -> list[Place]:
    """Hidden layers whose weights are stated and that an activation follows."""
    parts = apart(net)
    found = [block for own in (parts.main, *parts.branches) for block in blocks(own) if block[0].weighted]
    return [block[0] for block in found if any(place.exchangeable for place in block[1:])]


def _lecun(layer: Weighted) -> Weighted:
    return layer if layer.initializer is None else layer.replace(initializer=LeCunNormal())
