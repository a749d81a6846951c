"""A recipe: everything that decides a training, as one value without any weights."""

from dataclasses import KW_ONLY
from typing import Any

import jax

from kilter.core.specs import option, part
from kilter.core.values import Value
from kilter.data.augment import Augmentation
from kilter.data.preprocess import Preprocess
from kilter.data.scaling import Scale
from kilter.losses import Loss, Penalty
from kilter.metrics import Metric
from kilter.nn.layer import Layer
from kilter.nn.precision import CHOICES
from kilter.optim.constraints import Constraint
from kilter.optim.optimizer import Optimizer
from kilter.train.stopping import EarlyStopping


class Recipe(Value):
    """Network, loss, optimizer, and how long and on what to train; compared, hashed, printed, diffed, saved as JSON.

    Numbers in it (learning rate, dropout rate, ...) can change without a new compile; shapes and choices cannot.

    Args:
        net: the network, usually a `nn.Chain`.
        loss: what is made small.
        optimizer: how.
        batch_size: examples an update; the last batch of an epoch may be smaller, and none is dropped. At most all rows.
        epochs: passes over the training rows.
        shuffle: whether every epoch goes through the rows in a new order, rather than always in that of the data.
        inputs: preprocessing of the inputs, fitted on the training rows.
        targets: preprocessing of targets that are numbers; predictions come back in the target's own unit.
        penalty: on the size of the weights, added to the loss while training.
        constraint: where weights are brought back to after every update.
        augment: how training rows are changed at random in every step, after preprocessing.
        stopping: when to end before all epochs are run; ``None``: never.
        metric: decides which epoch is best; left open, accuracy for classes and R2 for numbers.
        precision: ``"bfloat16"`` and ``"float16"`` make the products of training (dense, convolution, attention, recurrent)
            in half precision where the device gains by it, as GPUs do and CPUs do not; weights, norms, losses and
            predictions stay in float32. float16 wants its gradients scaled: `optim.LossScale`. Micikevicius et al. 2018.
            ``"float64"`` trains weights, signals and gradients in double precision, from the draws of float32; the
            history is in float32.

    >>> from kilter import nn, optim, losses
    >>> recipe = Recipe(nn.Chain(nn.Dense(8), nn.Dropout(0.2)), losses.SquaredError(), optimizer=optim.Adam(1e-3))
    >>> recipe.at("net.layers[1].rate")
    0.2
    >>> recipe.put("optimizer.lr", 0.01).optimizer
    optim.Adam(0.01)
    """

    home = "kl"

    net: Layer = part(kinds=Layer)
    loss: Loss = part(kinds=Loss)
    _: KW_ONLY
    optimizer: Optimizer = part(kinds=Optimizer)
    batch_size: int = option(default=32, kinds=int, range="[1, inf)", unit="examples")
    epochs: int = option(default=20, kinds=int, range="[0, inf)", unit="epochs")
    shuffle: bool = option(default=True, kinds=bool)
    inputs: Preprocess | None = part(default=None, kinds=Preprocess, optional=True)
    targets: Scale | None = part(default=None, kinds=Scale, optional=True)
    penalty: Penalty | None = part(default=None, kinds=Penalty, optional=True)
    constraint: Constraint | None = part(default=None, kinds=Constraint, optional=True)
    augment: Augmentation | None = part(default=None, kinds=Augmentation, optional=True)
    stopping: EarlyStopping | None = part(default=None, kinds=EarlyStopping, optional=True)
    metric: Metric | None = part(default=None, kinds=Metric, optional=True)
    precision: str = option(default="float32", choices=CHOICES)


def structure(recipe: Recipe) -> Any:
    """What must be equal for two recipes to train in one program; preprocessing decides on the rows."""
    return jax.tree.structure(recipe.replace(epochs=0)), recipe.inputs, recipe.targets
