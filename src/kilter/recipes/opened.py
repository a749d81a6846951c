"""The plain network for tables, opened to a search."""

from typing import Any

from kilter import nn, optim
from kilter.core.distributions import Choice, LogUniform, Repeat, Uniform
from kilter.data.dataset import Dataset
from kilter.recipes.plain import plain, weight_decay
from kilter.train.recipe import Recipe


def opened(data: Dataset, *, epochs: int | None = None) -> Recipe:
    """A space around `plain`: learning rate, weight decay, dropout, width, depth and activation.

    The rate is searched over a factor of ten to either side of the plain one, weight decay from a hundredth to three times
    the plain one, as it is chosen near the most that is good.

    Args:
        data: as for `plain`.
        epochs: passes over the training rows; left open, as many as `plain` makes.

    Raises:
        InputError: the data holds codes of categories, which a dense layer cannot read.

    >>> import kilter as kl
    >>> [each.name for each in kl.Space.of(opened(kl.data.iris())).dimensions][-2:]
    ['optimizer.lr.lr', 'optimizer.weight_decay']
    """
    recipe = plain(data, epochs=epochs)
    *_, last = layers = recipe.at("net.layers")
    flatten = layers[:1] if isinstance(layers[0], nn.Flatten) else ()
    width = next(layer.units for layer in layers if isinstance(layer, nn.Dense))
    decay = weight_decay(data.rows)
    rate: Any = LogUniform(1e-3, 1e-1)
    decays: Any = LogUniform(decay / 100, 3 * decay)
    dropped: Any = Uniform(0.0, 0.5)
    widths: Any = Choice(width // 2, width, 2 * width)
    activation: Any = Choice(nn.ReLU(), nn.SELU(), nn.Mish())
    hidden: Any = Repeat(nn.Chain(nn.Dense(widths), nn.BatchNorm(), activation, nn.Dropout(dropped)), 1, 3)
    return recipe.replace(
        net=nn.Chain(*flatten, hidden, last), optimizer=optim.Adam(optim.Cosine(rate), weight_decay=decays)
    )
