"""The plain network for tables."""

import math

from kilter import losses, nn, optim
from kilter.core.errors import InputError
from kilter.data.dataset import Dataset
from kilter.data.scaling import Standardize
from kilter.losses import Loss
from kilter.train.recipe import Recipe
from kilter.train.stopping import EarlyStopping

# Updates that a table gets: enough for its hidden layers to settle, whatever the number of rows.
_UPDATES = 3000


def plain(data: Dataset, *, epochs: int | None = None) -> Recipe:
    """A plain network for rows of numbers: two hidden layers with batch norm and dropout, Adam on a cosine, early stopping.

    Args:
        data: whose target decides on loss and outputs, and whose number of rows on width, batch size and epochs.
        epochs: passes over the training rows; left open, as many as make about 3000 updates, from 20 to 200.

    Raises:
        InputError: the data holds codes of categories, which a dense layer cannot read.

    >>> import kilter as kl
    >>> plain(kl.data.iris()).net.layers[-1]
    nn.Dense(3)
    """
    if data.categories:
        raise InputError(
            "plain: the data holds codes of categories; make it with categories='one_hot', or take tabular"
        )
    rows = data.rows
    width = 64 if rows < 1000 else 128 if rows < 10_000 else 256
    batch = min(256, max(16, 2 ** round(math.log2(rows / 25))))
    if epochs is None:
        epochs = min(200, max(20, round(_UPDATES * batch / rows)))
    loss = usual_loss(data)
    flatten = (nn.Flatten(),) if len(data.shape) > 1 else ()
    hidden = [layer for _ in range(2) for layer in (nn.Dense(width), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.2))]
    return Recipe(
        nn.Chain(*flatten, *hidden, nn.Dense(loss.outputs(data.train.y, data.classes)[0])),
        loss,
        optimizer=optim.Adam(optim.Cosine(0.01), weight_decay=weight_decay(rows)),
        batch_size=batch,
        epochs=epochs,
        inputs=Standardize(),
        targets=Standardize() if data.target.task == "numbers" else None,
        stopping=EarlyStopping(patience=max(10, epochs // 2)) if data.validation is not None and epochs else None,
    )


def weight_decay(rows: int) -> float:
    """Decoupled weight decay for Adam at a rate of 0.01: at most 3, and less with the root of the rows.

    It holds the weights of a long training to about one over it: strong on small tables, where there is most to overfit,
    and falling with the standard error of what is learned.

    >>> weight_decay(150), weight_decay(6400)
    (3.0, 1.0)
    """
    return min(3.0, 80.0 / rows**0.5)


def usual_loss(data: Dataset) -> Loss:
    """The loss for the task of the data."""
    kinds = {
        "classes": losses.SoftmaxCrossEntropy,
        "labels": losses.SigmoidCrossEntropy,
        "numbers": losses.SquaredError,
    }
    return kinds[data.target.task]()
