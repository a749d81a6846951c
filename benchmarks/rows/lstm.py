"""An LSTM of 128 units that reads sequences, and a dense layer on its last output."""

from functools import partial
from typing import Any

from contest import Contest, Row
from sets import noise
from sides.job import Job
from sides.training import contest

GROUP = "Sequences"
UNITS, FEATURES, CLASSES = 128, 28, 10


def make(length: int, rows: int, epochs: int, quick: bool) -> Contest:
    """The contest."""
    units, batch = (8, 8) if quick else (UNITS, 64)
    length, rows, epochs = (min(length, 32) // 8, 16, 1) if quick else (length, rows, epochs)
    job = Job(
        *noise(rows, (length, FEATURES), CLASSES), batch, epochs,
        lambda: kilter_net(units), lambda: torch_net(units), lambda: flax_net(units), lambda: keras_net(units),
    )  # fmt: skip
    step = 2.0 * 4 * units * (FEATURES + units)
    # Forward and both gradients; the inputs of the net need none. At the end all rows are judged.
    flops = rows * epochs * (length * (3 * step - 2.0 * 4 * units * FEATURES) + 6.0 * units * CLASSES)
    flops += rows * (length * step + 2.0 * units * CLASSES)
    products = [(batch, units, 4 * units), (batch, 4 * units, units), (batch * length, FEATURES, 4 * units)]
    return contest(job, [*products, (units, batch * length, 4 * units)], tuned=False, quick=quick, flops=flops)


def kilter_net(units: int) -> Any:
    """In Kilter."""
    from kilter import nn

    return nn.Chain(nn.LSTM(units), nn.Dense(CLASSES))


def torch_net(units: int) -> Any:
    """In PyTorch."""
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.dense = nn.LSTM(FEATURES, units, batch_first=True), nn.Linear(units, CLASSES)

        def forward(self, x: Any) -> Any:
            return self.dense(self.lstm(x)[1][0][0])

    return Net()


def flax_net(units: int) -> Any:
    """In Flax."""
    from flax import linen as nn

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any, train: bool) -> Any:
            return nn.Dense(CLASSES)(nn.RNN(nn.OptimizedLSTMCell(units))(x)[:, -1])

    return Net()


def keras_net(units: int) -> Any:
    """In Keras."""
    from keras import Sequential, layers

    return Sequential([layers.LSTM(units), layers.Dense(CLASSES)])


ROWS = tuple(
    Row(
        f"lstm-{length}",
        f"LSTM {UNITS}, length {length}; {rows:,} rows, batch 64",
        GROUP,
        partial(make, length, rows, epochs),
        aim=1.0,
        weight=1.5,
    )
    for length, rows, epochs in ((28, 2048, 2), (256, 512, 1))
)
