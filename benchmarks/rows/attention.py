"""A transformer's block, norm in front, on sequences of 64 steps of 128 features; means over time, and a dense layer."""

from typing import Any

from contest import Contest, Row
from rows.lstm import GROUP
from sets import noise
from sides.job import Job
from sides.training import contest

HEADS, CLASSES = 4, 10


def make(quick: bool) -> Contest:
    """The contest."""
    rows, batch, steps, features = (16, 8, 4, 8) if quick else (2048, 32, 64, 128)
    job = Job(
        *noise(rows, (steps, features), CLASSES), batch, 1, kilter_net,
        lambda: torch_net(features), lambda: flax_net(features), lambda: keras_net(features),
    )  # fmt: skip
    places = batch * steps
    sizes = [(places, features, 3 * features), (places, features, 4 * features), (places, 4 * features, features)]
    return contest(job, [*sizes, *((inner, rows, columns) for rows, inner, columns in sizes)], quick=quick)


def kilter_net() -> Any:
    """In Kilter."""
    from kilter import nn

    return nn.Chain(nn.TransformerBlock(HEADS), nn.GlobalAvgPool(), nn.Dense(CLASSES))


def torch_net(features: int) -> Any:
    """In PyTorch."""
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.TransformerEncoderLayer(
                features, HEADS, 4 * features, 0.0, batch_first=True, norm_first=True
            )
            self.dense = nn.Linear(features, CLASSES)

        def forward(self, x: Any) -> Any:
            return self.dense(self.block(x).mean(1))

    return Net()


def flax_net(features: int) -> Any:
    """In Flax."""
    from flax import linen as nn

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any, train: bool) -> Any:
            x = x + nn.MultiHeadDotProductAttention(HEADS)(nn.LayerNorm()(x))
            x = x + nn.Dense(features)(nn.relu(nn.Dense(4 * features)(nn.LayerNorm()(x))))
            return nn.Dense(CLASSES)(x.mean(1))

    return Net()


def keras_net(features: int) -> Any:
    """In Keras."""
    import keras
    from keras import layers

    x = entered = keras.Input((None, features))
    y = layers.LayerNormalization()(x)
    x = layers.add([x, layers.MultiHeadAttention(HEADS, features // HEADS)(y, y)])
    y = layers.Dense(4 * features, activation="relu")(layers.LayerNormalization()(x))
    x = layers.add([x, layers.Dense(features)(y)])
    return keras.Model(entered, layers.Dense(CLASSES)(layers.GlobalAveragePooling1D()(x)))


ROW = Row("attention", "transformer block, 64 steps of 128 features, 4 heads; 2,048 rows, batch 32", GROUP, make)
