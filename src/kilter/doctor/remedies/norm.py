"""Norms behind hidden layers, in front of their activation."""

from collections.abc import Iterator
from functools import partial

from kilter.data.dataset import Dataset
from kilter.doctor.remedies.line import hidden_blocks, spliced
from kilter.doctor.remedy import Remedy
from kilter.nn.layer import Layer
from kilter.nn.layer_norms import LayerNorm
from kilter.nn.norm import BatchNorm
from kilter.nn.reweighted import Reweighted
from kilter.train.recipe import Recipe

# Rows in a batch from which on their moments say something.
_FEW = 8


def batch_norm(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """Batch norm behind every hidden layer that has no norm; not for batches of a few rows."""
    count = len(_bare(recipe.net))
    if count and min(recipe.batch_size, len(data.train)) >= _FEW:
        yield Remedy(
            "batch_norm",
            f"Put batch norm behind {_layers(count)}, in front of the activation: every signal then has mean 0 and "
            "variance 1 over the batch whatever the weights (Ioffe and Szegedy 2015).",
            "nn.BatchNorm1d(features) or nn.BatchNorm2d(channels) between a layer and its activation",
            partial(normed, norm=BatchNorm()),
        )


def layer_norm(recipe: Recipe, data: Dataset) -> Iterator[Remedy]:
    """Layer norm behind every hidden layer that has no norm."""
    count = len(_bare(recipe.net))
    if count:
        yield Remedy(
            "layer_norm",
            f"Put layer norm behind {_layers(count)}, in front of the activation: every example's signal then has mean 0 "
            "and variance 1, for batches of any size (Ba et al. 2016).",
            "nn.LayerNorm(features) between a layer and its activation",
            partial(normed, norm=LayerNorm()),
        )


def normed(recipe: Recipe, norm: Layer) -> Recipe:
    """The recipe with a norm behind every hidden layer that has none."""
    edits = {path: (layer, norm) for path, layer in _bare(recipe.net).items()}
    return recipe.replace(net=spliced(recipe.net, edits))


def _bare(net: Layer) -> dict[str, Layer]:
    """Hidden layers without a norm behind them or of their weights, by path."""
    bare = [block[0] for block in hidden_blocks(net) if not any(place.norm for place in block)]
    return {place.path: place.layer for place in bare if not isinstance(place.layer, Reweighted)}


def _layers(count: int) -> str:
    return "one hidden layer" if count == 1 else f"{count} hidden layers"
