"""The network for tables in the manner of RealMLP: many small improvements that together rival boosted trees."""

from kilter import losses, nn, optim
from kilter.data.bending import SmoothClip
from kilter.data.dataset import Dataset
from kilter.data.only import Only
from kilter.data.preprocess import Preprocess, Steps
from kilter.data.scaling import Robust, Standardize
from kilter.losses import Loss
from kilter.recipes.plain import usual_loss
from kilter.train.recipe import Recipe

# The fixed length that RealMLP trains, cut where it would be more than so many updates.
_EPOCHS, _UPDATES = 256, 50_000
# From so many training rows on, features are embedded and scaled by a layer of their own; on fewer this only overfits.
_EMBEDDED = 2000
# Weight decay by task: the most, and the rows from which on it falls, with the power 1.5 of their number. Chosen on sets
# of 120 to 2400 rows; on large ones it comes to little, as in RealMLP.
_DECAYS = {"numbers": (30.0, 350), "classes": (10.0, 300), "labels": (10.0, 300)}
# Categories up to which a code becomes a row of zeros with a one, and size of the embedding beyond.
_ONE_HOT, _EMBEDDING = 9, 8


def tabular(data: Dataset, *, epochs: int | None = None) -> Recipe:
    """A network for tables: RealMLP's parts, with weight decay by the number of rows.

    From Holzmüller, Grinsztajn and Steinwart 2024, Better by Default, appendix A: robust scale and smooth clip; three
    hidden layers of 256; parametric SELU (Mish for numbers); dropout 0.15; label smoothing 0.1; Adam with b2 = 0.95 on
    coslog4; batches of 256; 256 epochs, of which validation rows choose the best; from 2000 rows on periodic embeddings
    (PBLD) and a scale layer at six times the rate; one-hot codes up to nine categories, embeddings of eight beyond.

    Other than there: weights are drawn so that they keep the variance and the rate is for these (theirs is for weights of
    unit variance); the output layer starts at zero; dropout does not decay; and weight decay is stronger, the more so the
    fewer the rows, as sets of hundreds of rows overfit otherwise.

    Args:
        data: whose target decides on loss and outputs; its number of rows on weight decay, epochs and embeddings; its
            codes of categories on what they become.
        epochs: passes over the training rows; left open, 256, and fewer where these are more than 50,000 updates.

    >>> import kilter as kl
    >>> tabular(kl.data.wine()).epochs
    256
    """
    rows = data.rows
    batch = min(256, rows)
    if epochs is None:
        epochs = max(1, min(_EPOCHS, _UPDATES // -(-rows // batch)))
    loss = _loss(data)
    front = _front(data, embedded=rows >= _EMBEDDED)
    activation = nn.Parametric(nn.Mish() if data.target.task == "numbers" else nn.SELU())
    hidden = [layer for _ in range(3) for layer in (nn.Dense(256), activation, nn.Dropout(0.15))]
    last = nn.Dense(loss.outputs(data.train.y, data.classes)[0], initializer=nn.initializers.Zeros())
    return Recipe(
        nn.Chain(*front, *hidden, last),
        loss,
        optimizer=_optimizer(data, front),
        batch_size=batch,
        epochs=epochs,
        inputs=_inputs(data),
        targets=Standardize() if data.target.task == "numbers" else None,
    )


def _loss(data: Dataset) -> Loss:
    return losses.SoftmaxCrossEntropy(smoothing=0.1) if data.target.task == "classes" else usual_loss(data)


def _optimizer(data: Dataset, front: list[nn.Layer]) -> optim.Optimizer:
    most, rows = _DECAYS[data.target.task]
    decay = most * min(1.0, rows / data.rows) ** 1.5
    adam = optim.Adam(optim.Coslog4(0.01), b2=0.95, weight_decay=decay)
    scaled = [f"{index}.scale" for index, layer in enumerate(front) if isinstance(layer, nn.Scale)]
    return optim.PerPart(adam, dict.fromkeys(scaled, 6.0)) if scaled else adam


def _front(data: Dataset, *, embedded: bool) -> list[nn.Layer]:
    """What turns a row into features."""
    flatten = [nn.Flatten()] if len(data.shape) > 1 else []
    embedding = [nn.PeriodicEmbedding(16, size=3, phase=True, direct=True)] if embedded else []
    scale = [nn.Scale()] if embedded else []
    if not any(data.categories):
        return [*flatten, *embedding, *scale]
    numbers = _numbers(data)
    branches: list[nn.Layer] = [nn.Chain(nn.Select(numbers), *embedding)] if numbers else []
    branches += [nn.Chain(nn.Select(index), _coded(count)) for index, count in enumerate(data.categories) if count]
    return [nn.Concatenate(*branches), *scale]


def _coded(count: int) -> nn.Layer:
    return nn.OneHot(count) if count <= _ONE_HOT else nn.Embedding(count, _EMBEDDING)


def _numbers(data: Dataset) -> tuple[int, ...]:
    """Places of the features that are no codes."""
    return tuple(index for index, count in enumerate(data.categories) if not count)


def _inputs(data: Dataset) -> Preprocess | None:
    steps = Steps(Robust(), SmoothClip())
    if not any(data.categories):
        return steps
    return Only(_numbers(data), steps) if _numbers(data) else None
