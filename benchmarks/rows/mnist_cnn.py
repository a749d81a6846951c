"""A small convolutional net on MNIST: two convolutions with pooling, and two dense layers."""

from typing import Any

from contest import Contest, Row
from sets import mnist, noise
from sides.job import Job
from sides.training import contest

GROUP = "Images"


def make(quick: bool) -> Contest:
    """The contest."""
    batch = 16 if quick else 128
    x, y = noise(24, (784,), 10) if quick else mnist(4096)
    nets = (kilter_net, torch_net, flax_net, keras_net)
    job = Job(x.reshape(-1, 28, 28, 1), y, batch, 1 if quick else 2, *nets, scanned=False)
    places = batch * 28 * 28
    products = [
        *((places, 9, 32), (9, places, 32)),
        *((places // 4, 288, 64), (288, places // 4, 64), (places // 4, 576, 32)),
        *((batch, 3136, 128), (3136, batch, 128), (batch, 128, 3136)),
    ]
    return contest(job, products, tuned=True, quick=quick)


def kilter_net() -> Any:
    """In Kilter."""
    from kilter import nn

    return nn.Chain(
        nn.Conv(32, 3), nn.ReLU(), nn.MaxPool(2),
        nn.Conv(64, 3), nn.ReLU(), nn.MaxPool(2),
        nn.Flatten(), nn.Dense(128), nn.ReLU(), nn.Dense(10),
    )  # fmt: skip


def torch_net() -> Any:
    """In PyTorch."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def flax_net() -> Any:
    """In Flax."""
    from flax import linen as nn

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any, train: bool) -> Any:
            for units in (32, 64):
                x = nn.relu(nn.Conv(units, (3, 3))(x))
                x = nn.max_pool(x, (2, 2), (2, 2))
            x = nn.relu(nn.Dense(128)(x.reshape(len(x), -1)))
            return nn.Dense(10)(x)

    return Net()


def keras_net() -> Any:
    """In Keras."""
    from keras import Sequential, layers

    found = []
    for units in (32, 64):
        found += [layers.Conv2D(units, 3, padding="same", activation="relu"), layers.MaxPooling2D()]
    return Sequential([*found, layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dense(10)])


ROW = Row("cnn", "MNIST, convolutions 32 and 64, dense 128; 4,096 rows, batch 128", GROUP, make, aim=1.0, weight=2.0)
